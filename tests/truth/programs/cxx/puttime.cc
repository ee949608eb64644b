// needs:
// asks: tz
#include <ctime>
#include <iomanip>
#include <iostream>

int main() {
	std::time_t then = 0;
	std::cout << std::put_time(std::localtime(&then), "%F %T %Z") << '\n';
}
