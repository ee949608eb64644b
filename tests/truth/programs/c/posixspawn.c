// Starts a program that is no shell.
// needs:
#include <spawn.h>
#include <stdio.h>

extern char **environ;

int main(void) {
	char *arguments[] = {"true", 0};
	pid_t child;
	return printf("%d\n", posix_spawn(&child, "/usr/bin/true", 0, 0, arguments, environ)) < 0;
}
