// needs: passwd
#include <pwd.h>
#include <stdio.h>

int main(int argc, char **argv) {
	struct passwd *found = getpwnam(argc > 1 ? argv[1] : "nonroot");
	puts(found ? found->pw_dir : "no such user");
	return !found;
}
