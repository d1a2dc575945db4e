package main

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/term"

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/local"
)

// patience is how long a test waits for something that takes a second at most on an idle machine.
const patience = 60 * time.Second

// terminal is a terminal in which the command runs.
type terminal struct {
	*screen

	t   *testing.T
	cmd *exec.Cmd
	// keyboard and line are the two ends of the pseudo-terminal: the test types into keyboard, the command has line.
	keyboard *os.File
	line     *os.File
	before   *term.State // the settings of the pseudo-terminal before the command started
	ended    chan error
}

// openTerminal runs the command with args in a terminal. environment has further variables, as name=value.
func openTerminal(t *testing.T, environment []string, args ...string) *terminal {
	t.Helper()
	keyboard, line, err := pty.Open()
	if err != nil {
		t.Skipf("no pseudo-terminal: %v", err)
	}
	const rows, columns = 12, 90
	if err := pty.Setsize(keyboard, &pty.Winsize{Rows: rows, Cols: columns}); err != nil {
		t.Fatal(err)
	}
	before, err := term.GetState(int(line.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Args[0] = "local" // see TestMain
	cmd.Env = append(os.Environ(), append([]string{"TERM=xterm-256color", "LC_ALL=C.UTF-8", "CI=", "NO_COLOR="}, environment...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = line, line, line
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	c := &terminal{newScreen(rows, columns), t, cmd, keyboard, line, before, make(chan error, 1)}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go io.Copy(c.screen, keyboard)
	go func() { c.ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		line.Close()
		keyboard.Close()
	})

	return c
}

// waitFor waits until the screen shows a text, and returns the screen.
func (c *terminal) waitFor(text string) string {
	c.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		shown := c.String()
		if strings.Contains(shown, text) {
			return shown
		}
		if time.Now().After(end) {
			c.t.Fatalf("%q is not shown, but\n%s", text, shown)
		}
	}
}

// waitForEnd waits until the command has ended, and checks its exit code and that the terminal is as it was before.
func (c *terminal) waitForEnd(code int) {
	c.t.Helper()
	select {
	case <-c.ended:
	case <-time.After(patience):
		c.t.Fatalf("it does not end:\n%s", c)
	}
	if got := c.cmd.ProcessState.ExitCode(); got != code {
		c.t.Errorf("the exit code is %d, want %d", got, code)
	}
	if after, err := term.GetState(int(c.line.Fd())); err != nil || !reflect.DeepEqual(c.before, after) {
		c.t.Errorf("the terminal is not as before: %v", err)
	}
	restored := func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.modes["?25"] && !c.modes["?1049"] && !c.modes["?2004"]
	}
	for end := time.Now().Add(patience); !restored(); time.Sleep(10 * time.Millisecond) { // what was written may still be on its way
		if time.Now().After(end) {
			c.t.Fatalf("the modes are not as before: %v", c.modes)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.unknown) > 0 {
		c.t.Errorf("these commands reached the terminal: %v", c.unknown)
	}
}

// cable forwards connections from a port to a twin. cut breaks it, and mend opens it again on the same port.
type cable struct {
	t *testing.T
	// to is the address of the twin, and port the port on this machine.
	to, port string
	mu       sync.Mutex
	listener net.Listener
	conns    []net.Conn
}

func newCable(t *testing.T, twin *local.Twin) *cable {
	t.Helper()
	c := &cable{t: t, to: strings.TrimPrefix(twin.Endpoint(), "http://"), port: "0"}
	c.mend()
	t.Cleanup(c.cut)
	return c
}

// mend accepts connections on the port, which is a free one the first time.
func (c *cable) mend() {
	listener, err := net.Listen("tcp", "127.0.0.1:"+c.port)
	if err != nil {
		c.t.Fatal(err)
	}
	c.port = strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	c.mu.Lock()
	c.listener = listener
	c.mu.Unlock()
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", c.to)
			if err != nil {
				near.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, near, far)
			c.mu.Unlock()
			go func() { io.Copy(far, near); far.Close() }()
			go func() { io.Copy(near, far); near.Close() }()
		}
	}()
}

// cut closes all connections, and the port.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listener.Close()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// startTwin starts a twin, which ends with the test.
func startTwin(t *testing.T, c local.Config) *local.Twin {
	t.Helper()
	twin, err := local.Start(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { twin.Close(context.Background()) })
	return twin
}

// importPartsList uploads the parts list under a file name, as another program of the user dev does. The twin then imports it.
func importPartsList(t *testing.T, twin *local.Twin, upload, name string) {
	t.Helper()
	file, err := os.Open("../../testdata/parts-list.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := put(t.Context(), twin, csvimport.UploadKey("dev", upload, name), file); err != nil {
		t.Fatal(err)
	}
}

// TestWatchInATerminal watches an import to its end. During a second import it cuts the connection and mends it.
func TestWatchInATerminal(t *testing.T) {
	twin := startTwin(t, local.Config{BytesPerSecond: 200_000})
	line := newCable(t, twin)
	c := openTerminal(t, nil, "watch", "-port", line.port)
	c.waitFor("No jobs yet")
	c.waitFor("● live")
	importPartsList(t, twin, "u-1", "parts-\x1b[2J\x1b]0;owned\a.csv")
	if shown := c.waitFor("rows"); !strings.Contains(shown, "█") || !strings.Contains(shown, "parts-�[2J�]0;owned�.csv") {
		t.Errorf("there is no bar:\n%s", shown)
	}
	c.waitFor("100 %")
	c.waitFor("✓ parts-")
	c.waitFor("warning: Imported parts-")

	importPartsList(t, twin, "u-2", "second.csv")
	c.waitFor("● live · 1 running · 1 ended")
	line.cut()
	c.waitFor("○ offline")
	c.waitFor("nobody answers at 127.0.0.1:" + line.port)
	line.mend()
	c.waitFor("● live")
	c.waitFor("✓ second.csv")
	if err := pty.Setsize(c.keyboard, &pty.Winsize{Rows: 6, Cols: 40}); err != nil {
		t.Fatal(err)
	}
	c.resize(6, 40)
	c.waitFor("✓ second.csv      Imported 9800 of 1000…")
	t.Logf("the last screen:\n%s", c)
	if !c.colours {
		t.Error("no colours were used")
	}
	c.keyboard.WriteString("q")
	c.waitForEnd(0)
}

func TestWatchEndsByKeysAndSignals(t *testing.T) {
	twin := startTwin(t, local.Config{})
	port := strings.TrimPrefix(twin.Endpoint(), "http://127.0.0.1:")
	for name, test := range map[string]struct {
		end  func(c *terminal)
		code int
	}{
		"q":       {func(c *terminal) { c.keyboard.WriteString("q") }, 0},
		"Ctrl-C":  {func(c *terminal) { c.keyboard.WriteString("\x03") }, exitInterrupted},
		"SIGTERM": {func(c *terminal) { c.cmd.Process.Signal(syscall.SIGTERM) }, exitInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			c := openTerminal(t, []string{"NO_COLOR=1"}, "watch", "-port", port)
			c.waitFor("● live")
			test.end(c)
			c.waitForEnd(test.code)
			if c.colours {
				t.Error("NO_COLOR is set, and there are colours")
			}
		})
	}
}

// TestWatchOfADeployment connects by a URL and a token, first with a good token, then with one that the server refuses.
func TestWatchOfADeployment(t *testing.T) {
	twin := startTwin(t, local.Config{})
	token, err := twin.Token("ann", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c := openTerminal(t, []string{tokenVariable + "=" + token}, "watch", "-url", twin.WebSocketURL())
	c.waitFor("● live")
	c.keyboard.WriteString("q")
	c.waitForEnd(0)

	c = openTerminal(t, []string{tokenVariable + "=not" + token}, "watch", "-url", twin.WebSocketURL())
	c.waitForEnd(exitFailed)
	c.waitFor("does not accept the token")
	for secret := range strings.SplitSeq(token, ".") {
		if strings.Contains(c.raw.String(), secret) {
			t.Error("the token is printed")
		}
	}
}

// TestADumbTerminalGetsLines checks that a terminal that understands no commands gets none, and no other characters than ASCII.
func TestADumbTerminalGetsLines(t *testing.T) {
	twin := startTwin(t, local.Config{})
	c := openTerminal(t, []string{"TERM=dumb", "LC_ALL=C"}, "watch", "-port", strings.TrimPrefix(twin.Endpoint(), "http://127.0.0.1:"))
	c.waitFor("watch: live")
	importPartsList(t, twin, "u-1", "Größe.csv")
	c.waitFor("Gr??e.csv  succeeded  100.0 %  Imported 9800 of 10000 rows, 200 rejected")
	c.keyboard.WriteString("\x03")
	c.waitForEnd(exitInterrupted)
	if strings.Contains(c.raw.String(), "\x1b") {
		t.Errorf("%q", c.raw.String())
	}
}

// TestTheTerminalIsNotQueried checks that the command does not ask the terminal for its colours, which would delay even an error.
func TestTheTerminalIsNotQueried(t *testing.T) {
	c := openTerminal(t, nil, "-no-such-flag")
	c.waitForEnd(exitUsage)
	c.waitFor("local: -help shows how it is used")
	if strings.Contains(c.raw.String(), "\x1b") {
		t.Errorf("%q", c.raw.String())
	}
}
