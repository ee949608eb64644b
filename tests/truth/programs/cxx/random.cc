// needs:
#include <iostream>
#include <random>
#include <regex>
#include <thread>

int main() {
	std::random_device device;
	std::thread other([&] { std::cout << std::regex_match("a", std::regex("a|b")) << device() << '\n'; });
	other.join();
}
