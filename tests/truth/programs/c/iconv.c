// needs:
// asks: gconv
#include <iconv.h>
#include <stdio.h>

int main(void) {
	iconv_t found = iconv_open("UTF-8", "ISO-8859-15");
	puts(found == (iconv_t)-1 ? "no such conversion" : "converts");
	return found == (iconv_t)-1;
}
