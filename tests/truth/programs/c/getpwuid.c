// needs: passwd
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

int main(void) {
	char buffer[1024];
	struct passwd entry, *found = 0;
	getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found);
	puts(found ? found->pw_name : "no such user");
	return !found;
}
