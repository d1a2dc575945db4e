package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// screen is a terminal's screen. It understands the commands that watch uses, and records all others.
type screen struct {
	mu    sync.Mutex
	cells [][]rune
	// row and column are the position of the cursor, from 0.
	row    int
	column int
	// pending is the beginning of a command whose rest was not written yet.
	pending string
	// modes has the private modes that a command has set (true) or reset (false), such as ?25, which shows the cursor.
	modes map[string]bool
	// colours is true once a colour was used.
	colours bool
	// unknown are the commands and control characters that the screen does not understand.
	unknown []string
	// raw is all that was written.
	raw strings.Builder
}

// newScreen returns an empty screen, whose cursor is shown.
func newScreen(rows, columns int) *screen {
	s := &screen{modes: map[string]bool{"?25": true}, cells: make([][]rune, rows)}
	for i := range s.cells {
		s.cells[i] = slices.Repeat([]rune{' '}, columns)
	}
	return s
}

// token matches a whole command of a terminal, with its parameter and its name, or one character.
var token = regexp.MustCompile(`^(?:\x1b\[([0-9;?]*)([A-Za-z])|([^\x1b]))`)

// Write shows what the program has written. It processes p after the text that is pending.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw.Write(p)
	text := s.pending + string(p)
	for text != "" {
		found := token.FindStringSubmatch(text)
		if found == nil && len(text) < 16 { // No command that watch uses is longer.
			break // The rest of the command was not written yet.
		}
		if found == nil {
			s.unknown = append(s.unknown, fmt.Sprintf("%.16q", text))
			found = []string{text[:1], "", "", ""} // Skip the ESC.
		}
		text = text[len(found[0]):]
		if found[2] != "" {
			s.command(found[1], found[2])
		} else if found[3] != "" {
			s.put([]rune(found[3])[0])
		}
	}
	s.pending = text

	return len(p), nil
}

// put shows a character at the cursor, or moves the cursor for a line end.
func (s *screen) put(r rune) {
	switch {
	case r == '\r':
		s.column = 0
	case r == '\n':
		s.row = min(s.row+1, len(s.cells)-1)
	case r < ' ' || r >= 0x7f && r < 0xa0:
		s.unknown = append(s.unknown, fmt.Sprintf("%q", r))
	case s.column < len(s.cells[s.row]):
		s.cells[s.row][s.column] = r
		s.column++
	}
}

// command executes the command ESC [ parameter name.
func (s *screen) command(parameter, name string) {
	line := s.cells[s.row]
	switch parameter + name {
	// K clears the line, J also the lines below: all of the line with the parameter 2, otherwise from the cursor on.
	case "K", "0K", "2K", "J", "0J", "2J":
		from := 0
		if !strings.HasPrefix(parameter, "2") {
			from = s.column
		}
		for i := from; i < len(line); i++ {
			line[i] = ' '
		}
		if name == "J" {
			for _, below := range s.cells[s.row+1:] {
				copy(below, slices.Repeat([]rune{' '}, len(below)))
			}
		}
		return
	}
	n, err := strconv.Atoi(parameter)
	switch {
	case name == "m": // colours and other attributes; those of text colours contain a 3
		s.colours = s.colours || strings.Contains(parameter, "3")
	case name == "H": // moves the cursor to a position
		row, column, _ := strings.Cut(parameter+";", ";")
		r, _ := strconv.Atoi(row)
		c, _ := strconv.Atoi(strings.TrimSuffix(column, ";"))
		s.row, s.column = min(max(r-1, 0), len(s.cells)-1), max(c-1, 0)
	case name == "A" && (err == nil || parameter == ""): // moves the cursor up
		s.row = max(0, s.row-max(n, 1))
	case (name == "h" || name == "l") && slices.Contains([]string{"?25", "?1049", "?1002", "?1003", "?1006", "?2004"}, parameter):
		s.modes[parameter] = name == "h"
	default:
		s.unknown = append(s.unknown, fmt.Sprintf("ESC [ %s %s", parameter, name))
	}
}

// resize changes the size and clears the screen.
func (s *screen) resize(rows, columns int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cells, s.row, s.column = newScreen(rows, columns).cells, 0, 0
}

// String returns the screen as lines.
func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, line := range s.cells {
		b.WriteString(strings.TrimRight(string(line), " ") + "\n")
	}
	return b.String()
}
