// needs:
// asks: locale
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>

int main(void) {
	char *found = setlocale(LC_ALL, "");
	printf("%s %s\n", found ? found : "no such locale", nl_langinfo(CODESET));
	return !found;
}
