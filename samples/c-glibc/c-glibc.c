/* Uses what a C program commonly takes from glibc: mathematics, threads, the user database and time zones. */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_ZONES = 4, EXIT_USER = 5 };

static void *sum(void *last)
{
    long total = 0;
    for (long n = 1; n <= *(long *)last; n++)
        total += n;
    *(long *)last = total;
    return last;
}

static int threads(void)
{
    pthread_t thread;
    long value = 1000;
    int error = pthread_create(&thread, NULL, sum, &value);
    if (error != 0) {
        fprintf(stderr, "c-glibc: cannot start a thread: %s\n", strerror(error));
        return EXIT_FAILURE;
    }
    pthread_join(thread, NULL);
    printf("thread: %ld\n", value);
    return 0;
}

static int user(void)
{
    errno = 0;
    const struct passwd *entry = getpwuid(getuid());
    if (entry == NULL) {
        printf("user: missing: %s\n", errno != 0 ? strerror(errno) : "no such uid");
        return EXIT_USER;
    }
    printf("user: %s, home %s\n", entry->pw_name, entry->pw_dir);
    return 0;
}

/* Noon UTC of 1 July 2024 is 14:00 in Berlin. glibc takes UTC for a zone it has no file of, and reports no error. */
static int zones(void)
{
    const time_t noon = 1719835200;
    struct tm local;
    char text[64];
    setenv("TZ", "Europe/Berlin", 1);
    tzset();
    localtime_r(&noon, &local);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S%z %Z", &local);
    printf("zones: %s%s\n", local.tm_hour == 14 ? "" : "missing: ", text);
    return local.tm_hour == 14 ? 0 : EXIT_ZONES;
}

int main(int count, char **arguments)
{
    int require_user = 0, require_zones = 0;
    for (int n = 1; n < count; n++) {
        int is_user = strcmp(arguments[n], "-require-user") == 0;
        int is_zones = strcmp(arguments[n], "-require-zones") == 0;
        if (!is_user && !is_zones) {
            fputs("usage: c-glibc [-require-user] [-require-zones]\n", stderr);
            return EXIT_USAGE;
        }
        require_user |= is_user;
        require_zones |= is_zones;
    }
    printf("uid: %ld\n", (long)getuid());
    /* The process's own number is not known when this is compiled, so that libm is asked. */
    printf("cosine: %.6f\n", cos(0.0 * (double)getpid()));
    if (threads() != 0)
        return EXIT_FAILURE;
    int user_result = user(), zones_result = zones();
    if (require_user && user_result != 0)
        return user_result;
    return require_zones ? zones_result : 0;
}
