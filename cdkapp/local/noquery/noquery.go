// Package noquery keeps bubbletea from querying the terminal before main runs. When it is initialized, bubbletea asks the
// terminal for its background colour and waits up to five seconds for the answer, whatever the program is about to do. It
// does not ask if the variable CI is set. So this package sets CI, and Restore restores it.
//
// Go initializes a package after the packages that it imports. Among the packages that are ready, it takes the one whose path sorts
// first. This package imports only os, and its path sorts before github.com/muesli/termenv. Bubbletea imports termenv, so this
// package is initialized before bubbletea.
package noquery

import "os"

// variable is the environment variable that keeps bubbletea from its query.
const variable = "CI"

// before is the value that the environment variable had before setCI changed it. wasSet is whether the variable existed then.
var before, wasSet = setCI()

// setCI sets the environment variable if it is missing or empty. It returns the value from before, and whether the variable existed.
func setCI() (string, bool) {
	value, found := os.LookupEnv(variable)
	if value == "" {
		_ = os.Setenv(variable, "true") // If this fails, bubbletea queries the terminal, which only costs time.
	}
	return value, found
}

// Restore gives the environment variable CI the value that it had, or removes it if it did not exist. Call it after bubbletea was
// initialized.
func Restore() {
	if wasSet {
		_ = os.Setenv(variable, before)
	} else {
		_ = os.Unsetenv(variable)
	}
}
