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

	"github.com/herald-progress/herald/lib/csvimport"
	"github.com/herald-progress/herald/lib/message"
)

// display shows the frames that a browser receives.
type display interface {
	// frame shows a frame. Its error is that of the output.
	frame(f frame) error
	// end ends the current line of the display.
	end()
	summary(s csvimport.Summary) error
}

// newDisplay returns JSON lines, a bar on a terminal, or plain lines.
func newDisplay(w io.Writer, asJSON bool) display {
	if asJSON {
		return jsonLines{w}
	}
	if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		const steps, width, redraw = 1000, 40, 50 * time.Millisecond
		return &bar{lines: lines{w}, bar: progressbar.NewOptions(steps,
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
		return printError(fmt.Fprintf(d.w, "%5.1f %%  %s%s\n", data.Progress, data.Message, rowProgress(data)))
	case message.Notification:
		return printError(fmt.Fprintf(d.w, "%s: %s. %s\n", data.Severity, data.Title, data.Message))
	default:
		return nil
	}
}

// printError wraps the error of a print.
func printError(_ int, err error) error {
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// rowProgress returns the number of rows done, the rate and the remaining time of a running job, as far as they are known.
func rowProgress(p message.UploadProgress) string {
	var parts []string
	if count := rows(p); count != "" {
		parts = append(parts, count+" rows")
	}
	if p.RowsPerSecond > 0 {
		left := (time.Duration(p.ETAMillis) * time.Millisecond).Round(100 * time.Millisecond)
		parts = append(parts, fmt.Sprintf("%.0f rows/s", p.RowsPerSecond), fmt.Sprintf("%v left", left))
	}
	if len(parts) == 0 {
		return ""
	}

	return "  (" + strings.Join(parts, ", ") + ")"
}

// rows returns the number of rows done and in total, or "" if they are not known.
func rows(p message.UploadProgress) string {
	if p.CurrentRow == 0 || p.TotalRows == 0 || p.Status.Terminal() {
		return ""
	}
	return fmt.Sprintf("%d of %d", p.CurrentRow, p.TotalRows)
}

func (lines) end() {}

func (d lines) summary(s csvimport.Summary) error {
	_, err := fmt.Fprintf(d.w, `
%s: %d rows in %.1f s
  accepted  %8d  (quantity %d)
  rejected  %8d
`, s.FileName, s.Rows, float64(s.DurationMillis)/1000, s.Accepted, s.Quantity, s.Rejected)
	for _, r := range s.RejectedBy {
		fmt.Fprintf(d.w, "  %18d  %s\n", r.Rows, strings.TrimSpace(r.Column+" "+r.Reason))
	}
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}

	return nil
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
	d.bar.Describe(fmt.Sprintf("%-44.44s", strings.TrimSpace(data.Message+"  "+rows(data))))
	_ = d.bar.Set(int(data.Progress * 10)) // of the 1000 steps
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
