/*
 * inline_lines: inline commands and the arguments that Redis' sdssplitargs
 * makes of them. test_resp_text.c splits them; test_resp_live.c asks a server.
 */
#ifndef REDISPROXY_TESTS_INLINE_LINES_H
#define REDISPROXY_TESTS_INLINE_LINES_H

static const struct inline_line {
    const char *line;
    int argc; /* -1: unbalanced quotes */
    const char *args[6];
} inline_lines[] = {
    {"PING", 1, {"PING"}},
    {"", 0, {0}},
    {" \t ", 0, {0}},
    {"  set  k\tv ", 3, {"set", "k", "v"}},
    {"a \"b c\" d", 3, {"a", "b c", "d"}},
    {"a 'b c' d", 3, {"a", "b c", "d"}},
    {"a \"\" ''", 3, {"a", "", ""}},
    {"a b\"c d\"", 2, {"a", "bc d"}},
    {"a b'c d'", 2, {"a", "bc d"}},
    {"a \"\\n\\r\\t\\b\\a\\\\\\\"\\q\"", 2, {"a", "\n\r\t\b\a\\\"q"}},
    {"a \"\\x41\\x4a\\xzz\\x4\"", 2, {"a", "AJxzzx4"}},
    {"a '\\n\\'\\x41'", 2, {"a", "\\n'\\x41"}},
    {"a \\n\\\"x\"", 2, {"a", "\\n\\x"}},
    {"a b\vc \vd", 3, {"a", "b\vc", "d"}},
    {"a \"b'c\" 'b\"c'", 3, {"a", "b'c", "b\"c"}},
    {"a \"b\"\v'c'", 3, {"a", "b", "c"}},
    {"a \"b", -1, {0}},
    {"a 'b", -1, {0}},
    {"a \"b\"c", -1, {0}},
    {"a 'b'c", -1, {0}},
    {"a \"b\"\"c\"", -1, {0}},
    {"a \"b\\", -1, {0}},
    {"a \"b\\\"", -1, {0}},
    {"a 'b\\'", -1, {0}},
    {"a b\"", -1, {0}},
    {"\"", -1, {0}},
};

#endif
