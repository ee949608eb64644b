"""The certificates and time zones that come with minpack."""
