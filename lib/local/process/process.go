// Package process runs Lambda functions as processes under the Lambda Runtime API, or calls them under a URL.
//
// Function starts as many processes as invocations are in flight, up to a limit. instance is one process with its own server of the
// Runtime API, which only that process knows.
package process

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/herald-progress/herald/lib/local/background"
	"github.com/herald-progress/herald/lib/local/filewatch"
	"github.com/herald-progress/herald/lib/local/invoke"
)

// defaultLimit is the default of Config.Limit.
const defaultLimit = 10

// Config configures a Function.
type Config struct {
	// Name is the function's name.
	Name string
	// Command is a command of the shell that starts the function's runtime, such as "python3 app.py".
	Command string
	// Env are further environment variables, as NAME=value.
	Env []string
	// Limit is the greatest number of processes; zero means 10. An invocation over the limit waits until a process is free.
	Limit int
	// Output receives the lines that the processes print, and a line when the function was started anew or could not be. Each line
	// begins with the function's name. Nil discards them.
	Output io.Writer
}

// validName matches the names of functions, as the reference of CreateFunction says.
var validName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

// ValidateName returns an error that says what the name of a function may be.
func ValidateName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("process: a function's name has 1 to 64 letters, digits, - and _, not %q", name)
	}
	return nil
}

// Function is a function in processes. It is an invoke.Runner, safe for concurrent use. Close it after use.
type Function struct {
	cfg        Config
	lines      *lineWriter
	background *background.Group

	mu         sync.Mutex
	processes  int                // All that have been started and have not ended.
	idle       []*instance        // The one that was used last comes last.
	busy       map[*instance]bool // Those that run an invocation.
	waiting    []chan struct{}
	generation int  // It grows when the files have changed.
	broken     bool // The changed files do not start: the processes that run are the last good ones.
	closed     bool
}

// Start starts a function: its first process, and another one whenever a file of the command changes. It does not wait for them.
func Start(cfg Config) (*Function, error) {
	if err := ValidateName(cfg.Name); err != nil {
		return nil, err
	}
	if cfg.Command == "" {
		return nil, fmt.Errorf("process: the function %s has no command", cfg.Name)
	}
	cfg.Limit = cmp.Or(cfg.Limit, defaultLimit)
	if cfg.Output == nil {
		cfg.Output = io.Discard
	}
	f := &Function{cfg: cfg, background: background.NewGroup(), busy: map[*instance]bool{}}
	f.lines = &lineWriter{name: cfg.Name, out: cfg.Output}
	watcher := filewatch.New(filesOf(cfg.Command)...)
	f.background.Go(func(ctx context.Context) {
		f.startFirst(ctx)
		watcher.Run(ctx, f.startAnew)
	})
	return f, nil
}

// Run runs an invocation in a process.
func (f *Function) Run(ctx context.Context, call invoke.Call) ([]byte, error) {
	for {
		process, err := f.acquire(ctx, call.RequestID)
		if err != nil {
			return nil, err
		}
		f.mu.Lock()
		f.busy[process] = true
		closed := f.closed
		f.mu.Unlock()
		if closed {
			f.release(process)
			return nil, errClosed
		}
		payload, err := process.invoke(ctx, call)
		f.release(process)
		if !errors.Is(err, errNotTaken) { // Otherwise the process ended while it was idle.
			return payload, err
		}
	}
}

// acquire returns a process that is ready for an invocation: an idle one, or a new one, or the next that is released.
func (f *Function) acquire(ctx context.Context, requestID string) (*instance, error) {
	for {
		process, wait, generation, err := f.next()
		switch {
		case err != nil || process != nil:
			return process, err
		case wait == nil:
			return f.startOne(ctx, requestID, generation)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			f.stopWaiting(wait)
			return nil, fmt.Errorf("wait for a process: %w", context.Cause(ctx))
		}
	}
}

// next returns an idle process, or a channel on which to wait for one, or neither: then the caller starts a process, which is counted.
func (f *Function) next() (*instance, chan struct{}, int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, nil, 0, errClosed
	}
	if last := len(f.idle) - 1; last >= 0 {
		process := f.idle[last]
		f.idle = f.idle[:last]
		return process, nil, 0, nil
	}
	if f.processes == 0 || f.processes < f.cfg.Limit && !f.broken {
		f.processes++
		return nil, nil, f.generation, nil
	}
	wait := make(chan struct{}, 1)
	f.waiting = append(f.waiting, wait)
	return nil, wait, 0, nil
}

// stopWaiting removes a channel. If it has been woken, another one is woken for it.
func (f *Function) stopWaiting(wait chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if i := slices.Index(f.waiting, wait); i >= 0 {
		f.waiting = slices.Delete(f.waiting, i, i+1)
		return
	}
	f.wake()
}

// wake lets the invocation that has waited longest try again. The caller holds the lock.
func (f *Function) wake() {
	if len(f.waiting) > 0 {
		f.waiting[0] <- struct{}{}
		f.waiting = f.waiting[1:]
	}
}

// startOne starts a process that next has counted.
func (f *Function) startOne(ctx context.Context, requestID string, generation int) (*instance, error) {
	process, err := startInstance(ctx, f.cfg, f.lines, requestID)
	if err != nil {
		f.mu.Lock()
		f.processes--
		f.wake()
		f.mu.Unlock()
		f.report(ctx, "the function does not start", err)
		return nil, err
	}
	process.generation = generation
	return process, nil
}

// release gives back a process. One that has ended, or that has old files, is not used again.
func (f *Function) release(process *instance) {
	f.mu.Lock()
	delete(f.busy, process)
	reuse := !process.ended() && process.generation == f.generation && !f.closed
	if reuse {
		f.idle = append(f.idle, process)
	} else {
		f.processes--
	}
	f.wake()
	f.mu.Unlock()
	if !reuse {
		process.stop()
	}
}

// startFirst starts the first process, so that the first invocation need not wait and the user sees at once what is wrong.
func (f *Function) startFirst(ctx context.Context) {
	f.mu.Lock()
	first := f.processes == 0 && !f.closed // Otherwise an invocation has started it.
	if first {
		f.processes++
	}
	f.mu.Unlock()
	if !first {
		return
	}
	if process, err := f.startOne(ctx, "", 0); err == nil {
		f.release(process)
	}
}

// startAnew starts a process with the changed files. If its init succeeds, it replaces all others. Otherwise they stay.
func (f *Function) startAnew(ctx context.Context) {
	process, err := startInstance(ctx, f.cfg, f.lines, "")
	if err != nil {
		f.mu.Lock()
		f.broken = f.processes > 0
		kept := f.broken
		f.mu.Unlock()
		if kept {
			f.report(ctx, "the changed function does not start, the one before goes on", err)
		} else {
			f.report(ctx, "the function does not start", err)
		}
		return
	}

	f.mu.Lock()
	f.generation++
	process.generation = f.generation
	old := f.idle
	f.idle, f.broken = nil, false
	f.processes += 1 - len(old)
	f.mu.Unlock()
	for _, o := range old {
		o.stop()
	}
	f.lines.line("started anew")
	f.release(process)
}

// report prints why a process did not start. After Close it prints nothing.
func (f *Function) report(ctx context.Context, what string, err error) {
	if ctx.Err() != nil {
		return
	}
	text := err.Error()
	var failure *invoke.FunctionError
	if errors.As(err, &failure) {
		text = string(failure.Payload)
	}
	f.lines.line(what + ": " + text)
}

// errClosed is the error of an invocation of a function that is closed.
var errClosed = errors.New("process: the function is closed")

// Close ends all processes and waits until they have ended, or until ctx ends. Invocations in flight fail.
func (f *Function) Close(ctx context.Context) error {
	f.mu.Lock()
	f.closed = true
	all := append(slices.Collect(maps.Keys(f.busy)), f.idle...)
	f.processes -= len(f.idle)
	f.idle = nil
	for len(f.waiting) > 0 {
		f.wake()
	}
	f.mu.Unlock()
	var stopping sync.WaitGroup
	for _, process := range all {
		stopping.Go(process.stop)
	}
	stopping.Wait()
	if err := f.background.Close(ctx); err != nil {
		return fmt.Errorf("close the function %s: %w", f.cfg.Name, err)
	}
	return f.waitForAll(ctx)
}

// waitForAll waits until the invocations in flight have given back their processes.
func (f *Function) waitForAll(ctx context.Context) error {
	const pause = 10 * time.Millisecond
	for {
		f.mu.Lock()
		left := f.processes
		f.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return fmt.Errorf("close the function %s: %w", f.cfg.Name, ctx.Err())
		}
	}
}
