package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
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
