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

// When this function runs, bubbletea is initialized, so that the environment variable CI can be restored.
func init() { noquery.Restore() } //nolint:gochecknoinits // main and the tests of this package need it before anything else

const (
	// drawsPerSecond bounds how often the screen is drawn.
	drawsPerSecond = 10
	// closeTimeout is how long Run waits for the client to close the connection.
	closeTimeout = time.Second
)

// ErrInterrupted means that the user pressed Ctrl-C, or that the context of Run ended, as it does after a signal.
var ErrInterrupted = errors.New("watch: interrupted")

// Config configures Run. URL, Tokens, Output and Errors are required.
type Config struct {
	// URL is the WebSocket URL, without a token.
	URL string
	// Tokens is where the user's tokens come from.
	Tokens Tokens
	// Input is the terminal on which the user presses keys. With an Input, Run draws bars on Output, which is a terminal then.
	// Without an Input, Run prints lines to Output.
	Input  *os.File
	Output io.Writer
	// Errors receives the changes of the connection if Run prints lines.
	Errors io.Writer
	// ASCII is true if the terminal can show only ASCII.
	ASCII bool
	// Environment has the variables that describe the terminal, such as NO_COLOR and TERM, as name=value.
	Environment []string
	// dial opens connections in tests; nil means client.Dial.
	dial func(ctx context.Context, url, token string) (client.Socket, error)
}

// Run shows the jobs until the user quits or ctx ends.
//
//   - The user quits → nil.
//   - The user presses Ctrl-C, or ctx ends → ErrInterrupted.
//   - No other attempt to connect would help → the reason.
//   - The output cannot be written → the error.
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

// runLines does what Run does if there is no Input. An error of the output cancels its context.
func runLines(ctx context.Context, c Config, host string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := &lines{out: c.Output, errs: c.Errors, ascii: c.ASCII, failed: cancel}
	_, run := connect(c, host, out)
	err := run(ctx)
	if out.err != nil {
		return out.err
	}
	if err == nil { // ctx has ended.
		return ErrInterrupted
	}

	return err
}

// runScreen does what Run does with an Input.
func runScreen(ctx context.Context, c Config, host string) error {
	clientCtx, stopClient := context.WithCancel(ctx)
	defer stopClient()
	in := &inbox{}
	conn, run := connect(c, host, in)
	in.jobs = conn.View().Jobs
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		in.end(run(clientCtx))
	}()
	m := newModel(in, newStyle(c.Output, c.Environment, c.ASCII), time.Now)
	program := tea.NewProgram(m, tea.WithContext(ctx), tea.WithInput(c.Input), tea.WithOutput(c.Output), tea.WithEnvironment(c.Environment),
		tea.WithAltScreen(), tea.WithoutSignalHandler(), tea.WithoutBracketedPaste(), tea.WithFPS(drawsPerSecond))
	_, err := program.Run()
	stopClient()
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
