// needs:
// asks: locale
#include <iostream>
#include <locale>

int main() {
	std::cout.imbue(std::locale(""));
	std::cout << std::locale("").name() << '\n';
}
