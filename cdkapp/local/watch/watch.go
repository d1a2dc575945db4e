// Package watch shows a user's jobs as bars in a terminal, live, or as lines where there is no terminal.
package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"golang.org/x/term"

	"github.com/herald-progress/herald/cdkapp/local/noquery"
	"github.com/herald-progress/herald/lib/client"
)

// Bubbletea is initialized by now.
func init() { noquery.Restore() } //nolint:gochecknoinits // main and the tests of this package need it before anything else

const (
	// drawsPerSecond bounds how often the terminal is written to.
	drawsPerSecond = 10
	// closeTimeout is how long Run waits for the connection to be closed.
	closeTimeout = time.Second
)

// ErrInterrupted says that the user has interrupted the program, by Ctrl-C or a signal.
var ErrInterrupted = errors.New("watch: interrupted")

// Config configures Run. URL, Tokens, Output and Errors are required.
type Config struct {
	// URL is the WebSocket URL, without a token.
	URL string
	// Tokens is where the user's tokens come from.
	Tokens Tokens
	// Input has the keys that the user presses. Output is what is drawn on. Without an Input, lines are printed.
	Input  *os.File
	Output io.Writer
	// Errors receives the changes of the connection if lines are printed.
	Errors io.Writer
	// ASCII says that the terminal shows no other characters than those of ASCII.
	ASCII bool
	// Environment is read for NO_COLOR, TERM and the like.
	Environment []string
	// dial opens connections in tests; nil means client.Dial.
	dial func(ctx context.Context, url, token string) (client.Socket, error)
}

// Run shows the jobs until the user quits or ctx ends. It returns nil if the user quits, ErrInterrupted if the user or ctx
// interrupts it, and otherwise a reason for which no other attempt to connect would help.
func Run(ctx context.Context, c Config) error {
	host := c.URL
	if u, err := url.Parse(c.URL); err == nil {
		host = u.Host
	}
	if c.Input == nil {
		return runLines(ctx, c, host)
	}
	return runScreen(ctx, c, host)
}

func runLines(ctx context.Context, c Config, host string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := &lines{out: c.Output, errs: c.Errors, ascii: c.ASCII, failed: cancel}
	_, run := connect(c, host, out)
	err := run(ctx)
	if out.err != nil {
		return out.err
	}
	if err == nil {
		return ErrInterrupted
	}

	return err
}

func runScreen(ctx context.Context, c Config, host string) error {
	following, stop := context.WithCancel(ctx)
	defer stop()
	in := &inbox{}
	conn, run := connect(c, host, in)
	in.jobs = conn.View().Jobs
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		in.end(run(following))
	}()
	m := newModel(in, newStyle(c.Output, c.Environment, c.ASCII), time.Now)
	program := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(c.Input), tea.WithOutput(c.Output), tea.WithEnvironment(c.Environment),
		tea.WithAltScreen(), tea.WithoutSignalHandler(), tea.WithoutBracketedPaste(), tea.WithFPS(drawsPerSecond))
	_, err := program.Run()
	stop()
	select {
	case <-ended:
	case <-time.After(closeTimeout):
	}
	switch {
	case ctx.Err() != nil, m.interrupted:
		return ErrInterrupted
	case err != nil:
		return fmt.Errorf("terminal: %w", err)
	default:
		return m.ended
	}
}

// IsTerminal reports whether the file is a terminal.
func IsTerminal(file *os.File) bool { return term.IsTerminal(int(file.Fd())) }
