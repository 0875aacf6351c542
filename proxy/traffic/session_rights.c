/*
 * session_rights: whether the session's user may do what the session does without its node. The node is
 * asked, in the user's name, with a command of the same kind that changes nothing; what it allows is
 * known for a while to all sessions of the identity, as clients name their connections whenever they
 * connect. What it refuses is the answer, every time.
 */
#include "traffic/session_state.h"

#include <string.h>

/* A right that was taken away may be used so long. */
#define RIGHT_MS 1000

/* The verbs that are asked for stand together. */
static size_t index_of(const struct request *r)
{
    return (size_t)(r->command->verb - VERB_CLIENT_GETNAME);
}

/* Changes nothing, as the node says to it that this is no name, no option, no mode. */
static struct slice question_of(const struct request *r)
{
#define QUESTION(text)                                                                             \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
    static const struct slice questions[IDENTITY_RIGHTS] = {
        QUESTION("*2\r\n$6\r\nCLIENT\r\n$7\r\nGETNAME\r\n"),
        QUESTION("*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$1\r\n \r\n"),
        QUESTION("*4\r\n$6\r\nCLIENT\r\n$7\r\nSETINFO\r\n$1\r\n \r\n$1\r\n \r\n"),
        QUESTION("*3\r\n$6\r\nCLIENT\r\n$5\r\nREPLY\r\n$1\r\n \r\n"),
    };
    return questions[index_of(r)];
#undef QUESTION
}

static bool is_refusal(struct slice reply)
{
    static const char *const words[] = {"-NOPERM ", "-NOAUTH "};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (reply.len >= strlen(words[i]) && memcmp(reply.data, words[i], strlen(words[i])) == 0)
            return true;
    return false;
}

static void told(struct session *s, struct request *r, const struct upstream *from,
                 struct slice reply)
{
    (void)from;
    if (is_refusal(reply)) {
        session_answer_bytes(s, r, reply.data, reply.len);
        return;
    }
    s->identity->right_until_ms[index_of(r)] = turn_now(s->host->turn) + RIGHT_MS;
    session_perform_permitted(s, r);
}

enum step session_perform_if_permitted(struct session *s, struct request *r)
{
    enum step step;
    if (s->identity->right_until_ms[index_of(r)] < turn_now(s->host->turn)) {
        step = session_ask(s, r, false, question_of(r), told);
        /* Nobody waits for a master for that, unless it is not known who may come in. */
        if (step != STEP_HOLD || (!s->identity->authenticated && !s->auth_not_needed))
            return step;
    }
    session_perform_permitted(s, r);
    return STEP_ON;
}
