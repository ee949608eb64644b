// Package zones loads time zones for programs of other modules.
package zones

import "time"

// Load gives the zone of that name. It is not inlined, as it would be then no function of the machine code.
//
//go:noinline
func Load(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC, err
	}
	return zone, nil
}
