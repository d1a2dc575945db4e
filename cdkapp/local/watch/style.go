package watch

import (
	"io"
	"slices"
	"strings"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"
	"github.com/muesli/termenv"

	"github.com/herald-progress/herald/cdkapp/local/format"
	"github.com/herald-progress/herald/lib/message"
)

// style has the colours and the characters of the screen.
type style struct {
	ascii                          bool
	plain, good, bad, warn, accent lipgloss.Style
	faint, bold                    lipgloss.Style
	// full and empty are the cells of a bar, ellipsis stands for cut text, dot separates the parts of a line, and scrollKeys names
	// the keys that scroll.
	full, empty, ellipsis, dot, scrollKeys string
	// running is the sign of a running step.
	running string
	// partial has the cells that may come after the full cells of a bar: at index i the cell that is i eighths full. At index 0 there
	// is no cell, but an empty text. In ASCII partial has only this one, so each cell is full or empty.
	partial []string
	// marks are the signs of ended jobs, by status.
	marks map[message.Status]string
	// lights are the signs of the connection's states.
	lights map[state]string
}

// newStyle returns the style for a terminal. It uses the terminal's own sixteen colours, because they fit a light and a dark
// background.
func newStyle(out io.Writer, environment []string, ascii bool) *style {
	r := lipgloss.NewRenderer(out, termenv.WithEnvironment(environ(environment)), termenv.WithTTY(true))
	colour := func(number string) lipgloss.Style { return r.NewStyle().Foreground(lipgloss.Color(number)) }
	s := &style{
		ascii: ascii, plain: r.NewStyle(), good: colour("2"), bad: colour("1"), warn: colour("3"), accent: colour("4"),
		faint: r.NewStyle().Faint(true), bold: r.NewStyle().Bold(true),
		running: "●", full: "█", empty: "░", ellipsis: "…", dot: " · ", scrollKeys: "↑↓",
		partial: []string{"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"},
		marks:   map[message.Status]string{message.StatusSucceeded: "✓", message.StatusFailed: "!", message.StatusCancelled: "×"},
		lights:  map[state]string{connecting: "◌", catchingUp: "◐", live: "●", offline: "○", refused: "×"},
	}
	if ascii {
		s.running = "*"
		s.full, s.empty, s.ellipsis, s.dot, s.scrollKeys = "#", "-", "~", ", ", "j k"
		s.partial = []string{""}
		s.marks = map[message.Status]string{message.StatusSucceeded: "+", message.StatusFailed: "!", message.StatusCancelled: "x"}
		s.lights = map[state]string{connecting: ".", catchingUp: "~", live: "*", offline: "-", refused: "x"}
	}

	return s
}

// environ is an environment as a list of name=value. It implements the interface that termenv needs.
type environ []string

// Environ returns the list.
func (e environ) Environ() []string { return e }

// Getenv returns the value of a variable. If the list has the variable twice, the last entry counts.
func (e environ) Getenv(name string) string {
	for _, entry := range slices.Backward(e) {
		if value, found := strings.CutPrefix(entry, name+"="); found {
			return value
		}
	}
	return ""
}

// text makes a text from outside of this program safe to print on this terminal, in one line.
func (s *style) text(t string) string {
	t = format.SafeText(t)
	if s.ascii {
		t = format.ASCII(t)
	}
	return t
}

// fit returns a text, cut at its end if it is wider than width cells.
func (s *style) fit(t string, width int) string {
	if width <= 0 {
		return ""
	}
	return ansi.Truncate(t, width, s.ellipsis)
}

// fitName returns a name, cut in its middle if it is wider than width cells, because names often differ at their ends.
func (s *style) fitName(name string, width int) string {
	const narrow = 8 // Below this width, the name is cut at its end.
	nameWidth := ansi.StringWidth(name)
	if nameWidth <= width || width < narrow {
		return s.fit(name, width)
	}
	head := ansi.Truncate(name, width*2/3, "")
	room := width - ansi.StringWidth(head) - 1 // 1 for the ellipsis
	tail := ansi.TruncateLeft(name, nameWidth-room, "")
	if ansi.StringWidth(tail) > room { // the cut went through a wide character
		tail = ansi.TruncateLeft(name, nameWidth-room+1, "")
	}

	return head + s.ellipsis + tail
}

// pad returns a text with blanks after it, up to width cells.
func pad(t string, width int) string {
	return t + strings.Repeat(" ", max(0, width-ansi.StringWidth(t)))
}

// bar returns a progress bar of width cells. It is full only at 100 percent.
func (s *style) bar(progress float64, width int) string {
	if width <= 0 {
		return ""
	}
	if s.ascii {
		if width < 3 { // The brackets alone take two cells.
			return ""
		}
		return "[" + s.cells(progress, width-2) + "]"
	}
	return s.cells(progress, width)
}

// cells returns the cells of a bar without brackets.
func (s *style) cells(progress float64, width int) string {
	steps := len(s.partial)
	done := int(min(max(progress, 0), 100) * float64(width*steps) / 100)
	full, part := done/steps, s.partial[done%steps]
	rest := width - full
	if part != "" {
		rest--
	}
	return s.accent.Render(strings.Repeat(s.full, full)+part) + s.faint.Render(strings.Repeat(s.empty, rest))
}
