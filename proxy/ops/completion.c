/*
 * completion: see the header. Both shells complete the same: options, verbs, and behind a verb its options and words. Names of
 * groups are asked of the running proxy, whose socket stands earlier on the line.
 */
#include "ops/completion.h"

#include "ops/config_table.h"
#include "ops/verb.h"

#define OPTIONS                                                                                    \
    "-c -t -h --config --test --check --sentinels --master --takeover --version --help ctl doctor"
#define CTL_OPTIONS "-c -s --json --help"

static const char *words_of(const struct verb *verb)
{
    switch (verb->words) {
    case WORDS_LEVEL:
        return "debug info warn error";
    case WORDS_SESSION:
        return "id= address= user= name= library= listener= group= state= command= tls= db= age> "
               "idle> "
               "in_flight> waiting> requests> output>";
    case WORDS_CONFIG:
        return "get";
    case WORDS_GROUP:
        return "$(_redisproxy_groups)";
    case WORDS_NONE:
        break;
    }
    return "";
}

static void print_verbs(FILE *out)
{
    size_t count;
    const struct verb *table = verb_table(&count);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s ", table[i].name);
    fputs("help", out);
}

static void print_settings(FILE *out)
{
    size_t count;
    const struct config_option *table = config_table(&count);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%s", i ? " " : "", table[i].name);
}

/* The cases of a shell's "case": for each verb, what may follow. */
static void print_cases(FILE *out, const char *indent)
{
    size_t count;
    const struct verb *table = verb_table(&count);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%s) offer=\"%s%s%s --json\" ;;\n", indent, table[i].name,
                words_of(&table[i]), table[i].options ? " " : "",
                table[i].options ? table[i].options : "");
    fprintf(out, "%shelp) offer=\"", indent);
    print_verbs(out);
    fputs("\" ;;\n", out);
}

/* Asks the proxy that the line names. $asked holds "-c FILE" or "-s SOCKET". */
static const char groups[] = "    redisproxy ctl \"${asked[@]}\" --json status 2>/dev/null |\n"
                             "        grep -o '\"group\":\"[^\"]*\",\"state\"' | cut -d'\"' -f4\n";

void completion_print_bash(FILE *out)
{
    fprintf(out,
            "# bash completion for redisproxy, made by \"redisproxy --print bash\"\n\n"
            "_redisproxy_groups() {\n%s}\n\n"
            "_redisproxy() {\n"
            "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
            "    local verb='' offer='' i ctl=0\n"
            "    local -a asked=()\n"
            "    COMPREPLY=()\n"
            "    case $prev in\n"
            "    -c | --config | -s) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n"
            "    esac\n"
            "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
            "        case ${COMP_WORDS[i]} in\n"
            "        ctl) ctl=1 ;;\n"
            "        -c | -s) asked=(\"${COMP_WORDS[i]}\" \"${COMP_WORDS[++i]}\") ;;\n"
            "        -*) ;;\n"
            "        *) ((ctl)) && [[ -z $verb ]] && verb=${COMP_WORDS[i]} ;;\n"
            "        esac\n"
            "    done\n"
            "    if ((!ctl)); then\n"
            "        offer='" OPTIONS "'\n"
            "    elif [[ -z $verb ]]; then\n"
            "        offer='" CTL_OPTIONS " ",
            groups);
    print_verbs(out);
    fputs("'\n    elif [[ $verb == config && $prev == get ]]; then\n        offer='", out);
    print_settings(out);
    fputs("'\n    else\n        case $verb in\n", out);
    print_cases(out, "        ");
    fputs("        esac\n    fi\n"
          "    mapfile -t COMPREPLY < <(compgen -W \"$offer\" -- \"$cur\")\n}\n"
          "complete -F _redisproxy redisproxy\n",
          out);
}

void completion_print_zsh(FILE *out)
{
    fprintf(out,
            "#compdef redisproxy\n"
            "# zsh completion for redisproxy, made by \"redisproxy --print zsh\"\n\n"
            "_redisproxy_groups() {\n%s}\n\n"
            "_redisproxy_complete() {\n"
            "    local verb='' offer='' ctl=0 i prev=${words[CURRENT-1]}\n"
            "    local -a asked\n",
            groups);
    fputs("    case $prev in\n"
          "    -c | --config | -s) _files; return ;;\n"
          "    esac\n"
          "    for ((i = 2; i < CURRENT; i++)); do\n"
          "        case ${words[i]} in\n"
          "        ctl) ctl=1 ;;\n"
          "        -c | -s) asked=(${words[i]} ${words[i+1]}); ((i++)) ;;\n"
          "        -*) ;;\n"
          "        *) ((ctl)) && [[ -z $verb ]] && verb=${words[i]} ;;\n"
          "        esac\n"
          "    done\n"
          "    if ((!ctl)); then\n"
          "        offer='" OPTIONS "'\n"
          "    elif [[ -z $verb ]]; then\n"
          "        offer='" CTL_OPTIONS " ",
          out);
    print_verbs(out);
    fputs("'\n    elif [[ $verb == config && $prev == get ]]; then\n        offer='", out);
    print_settings(out);
    fputs("'\n    else\n        case $verb in\n", out);
    print_cases(out, "        ");
    fputs("        esac\n    fi\n    compadd -- ${=offer}\n}\n\n_redisproxy_complete\n", out);
}
