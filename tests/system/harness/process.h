/*
 * process: a test program's own folder, its own /24 of loopback addresses, and child processes that
 * cannot outlive it.
 *
 * The /24 (127.A.B.0) is guarded by an abstract Unix socket, which the kernel takes back when its
 * holder dies: programs that run side by side, or one after the other, never meet on a port. The
 * folder is removed by a guard process when the program ends, however it ends. Children get SIGKILL
 * when the thread that started them ends (PR_SET_PDEATHSIG): start them on the main thread.
 */
#ifndef TESTS_SYSTEM_PROCESS_H
#define TESTS_SYSTEM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct scratch {
    char dir[64];
    char prefix[16]; /* "127.A.B" */
    int lock, guard;
    pid_t guard_pid;
};

/* Returns 0, or -1 after saying why on stderr. */
int scratch_open(struct scratch *scratch) __attribute__((warn_unused_result));
/* Removes the folder, gives the addresses back. */
void scratch_close(struct scratch *scratch);

/* Starts a program with its output in the file `log` (appended). Returns its pid, or -1. */
pid_t process_start(const char *const *argv, const char *log);

/* Waits for a child's end and reaps it. Returns false when it still runs after `ms`. */
bool process_ended(pid_t pid, int ms, int *status);

/* Kills and reaps *pid when it is positive, and sets it to 0. */
void process_kill(pid_t *pid);

/* Copies a file to stderr, its last 16 KB, between two lines that name it. */
void file_show(const char *path);

/* The whole file as a string (the caller frees it); "" when it cannot be read. */
char *file_text(const char *path);

/* Writes a file. Returns 0 or -1. Replaced, it changes in one step, as editors do it: who reads it meanwhile gets the one or
 * the other. */
int file_write(const char *path, const char *text) __attribute__((warn_unused_result));
int file_replace(const char *path, const char *text) __attribute__((warn_unused_result));

#endif
