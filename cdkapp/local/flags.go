package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/herald-progress/herald/lib/message"
)

// parseFlags parses a command line. For -help it prints the usage and the flags, and returns flag.ErrHelp. The text of any other error
// is worded for the user.
func parseFlags(f *flag.FlagSet, args []string, usage string, stderr io.Writer) error {
	f.SetOutput(io.Discard)
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stderr, usage)
		f.SetOutput(stderr)
		f.PrintDefaults()
	}

	return err
}

// checkUser returns an error if the value of the flag -user is not the id of a user. Without this check, the twin refuses the token.
func checkUser(user string) error {
	switch {
	case user == "":
		return errors.New("-user must not be empty")
	case !message.ValidID(user, message.MaxUserID):
		return fmt.Errorf("-user must be UTF-8 of at most %d bytes without control characters", message.MaxUserID)
	}
	return nil
}
