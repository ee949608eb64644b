#include <iconv.h>
#include <stdio.h>
int main(){ iconv_t i=iconv_open("UTF-8","ISO-8859-15"); puts(i==(iconv_t)-1?"no converter":"converter ok"); return i==(iconv_t)-1; }
