package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/herald-progress/herald/cdkapp/local/format"
	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/message"
)

// display shows the frames that a browser receives.
type display interface {
	// frame shows a frame. It returns the error of writing it.
	frame(f frame) error
	// end ends a line that is not complete yet.
	end()
	// summary shows the result of the import.
	summary(s csvimport.Summary) error
}

// barSteps is the number of steps of a progress bar.
const barSteps = 1000

// newDisplay returns a display that prints JSON lines if asJSON is set. Otherwise it draws a progress bar if w is a terminal, and
// prints plain lines if it is not.
func newDisplay(w io.Writer, asJSON bool) display {
	if asJSON {
		return jsonLines{w}
	}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		const width, redraw = 40, 50 * time.Millisecond
		return &bar{lines: lines{w}, bar: progressbar.NewOptions(barSteps,
			progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(width), progressbar.OptionThrottle(redraw),
			progressbar.OptionSetPredictTime(false), progressbar.OptionSetElapsedTime(false), progressbar.OptionFullWidth())}
	}
	return lines{w}
}

// jsonLines prints the frames as received, and the summary as a last line.
type jsonLines struct{ w io.Writer }

func (d jsonLines) frame(f frame) error { return printError(fmt.Fprintf(d.w, "%s\n", f.raw)) }

func (jsonLines) end() {}

func (d jsonLines) summary(s csvimport.Summary) error {
	if err := json.NewEncoder(d.w).Encode(map[string]any{"type": "summary", "data": s}); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// lines prints a line for each frame.
type lines struct{ w io.Writer }

func (d lines) frame(f frame) error {
	switch data := f.Data.(type) {
	case message.UploadProgress:
		return printError(fmt.Fprintln(d.w, format.State(data)))
	case message.Notification:
		return printError(fmt.Fprintln(d.w, format.Note(data)))
	default:
		return nil
	}
}

// printError wraps the error of a print. It ignores the number of bytes, the first result of fmt.Fprintf, which is a parameter so
// that a call of fmt.Fprintf can be the argument.
func printError(_ int, err error) error {
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func (lines) end() {}

func (d lines) summary(s csvimport.Summary) error {
	duration := time.Duration(s.DurationMillis) * time.Millisecond
	var text strings.Builder
	fmt.Fprintf(&text, `
%s: %d rows in %.1f s
  accepted  %8d  (quantity %d)
  rejected  %8d
`, format.Text(s.FileName), s.Rows, duration.Seconds(), s.Accepted, s.Quantity, s.Rejected)
	for _, r := range s.RejectedBy {
		fmt.Fprintf(&text, "  %18d  %s\n", r.Rows, format.Text(strings.TrimSpace(r.Column+" "+r.Reason)))
	}
	return printError(io.WriteString(d.w, text.String()))
}

// bar draws the progress on a terminal.
type bar struct {
	lines

	bar *progressbar.ProgressBar
}

func (d *bar) frame(f frame) error {
	data, ok := f.Data.(message.UploadProgress)
	if !ok {
		return nil
	}
	// The text always has 44 characters, so that the bar after it stays in its place.
	d.bar.Describe(fmt.Sprintf("%-44.44s", strings.TrimSpace(format.Text(data.Message)+"  "+format.Rows(data))))
	const stepsPerPercent = barSteps / 100
	_ = d.bar.Set(int(data.Progress * stepsPerPercent)) // The import goes on if the bar cannot be drawn.
	if data.Status.Terminal() {
		d.end()
	}
	return nil
}

func (d *bar) end() {
	_ = d.bar.Exit()
	fmt.Fprintln(d.w)
}

func (d *bar) summary(s csvimport.Summary) error { return d.lines.summary(s) }
