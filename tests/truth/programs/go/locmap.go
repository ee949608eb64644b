// needs: tz
package main

import (
	"fmt"
	"os"
	"time"
)

var loaders = map[string]func(string) (*time.Location, error){"time": time.LoadLocation}

func main() { fmt.Println(loaders[os.Args[1]](os.Args[2])) }
