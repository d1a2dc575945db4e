// Package noquery keeps bubbletea from querying the terminal before main runs. When it is initialized, bubbletea asks the
// terminal for its background colour and waits up to five seconds for the answer, whatever the program is about to do. It
// does not ask if the variable CI is set. So this package sets CI, and Restore restores it.
//
// Packages that could be initialized next are initialized in the order of their paths. This package imports only os, and
// its path is before that of github.com/muesli/termenv, which bubbletea needs: so it is initialized before bubbletea.
package noquery

import "os"

const variable = "CI"

// before is the value of the variable before it was set, and isSet whether it was set at all.
var before, isSet = set()

func set() (string, bool) {
	value, found := os.LookupEnv(variable)
	if value == "" {
		_ = os.Setenv(variable, "true") // On failure, the terminal is queried.
	}
	return value, found
}

// Restore gives the variable the value that it had. Call it after bubbletea was initialized.
func Restore() {
	if isSet {
		_ = os.Setenv(variable, before)
	} else {
		_ = os.Unsetenv(variable)
	}
}
