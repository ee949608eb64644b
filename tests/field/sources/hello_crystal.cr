puts Time::Location.load("Europe/Berlin")
