// Package format writes the state of a job in words and numbers, for the commands that show it to people.
package format

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// Percent returns a progress as whole percent, rounded down: 99.9 is 99 %.
func Percent(progress float64) string {
	if math.IsNaN(progress) {
		progress = 0
	}
	return fmt.Sprintf("%d %%", int(min(max(progress, 0), 100)))
}

// Count returns a number with a comma before each three digits.
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	for i, digit := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return sign + b.String()
}

// Rows returns the number of rows done and in total of a running job, or "" if they are not known.
func Rows(p message.UploadProgress) string {
	if p.CurrentRow <= 0 || p.TotalRows <= 0 || p.Status.Terminal() {
		return ""
	}
	return Count(p.CurrentRow) + " of " + Count(p.TotalRows) + " rows"
}

// Status returns what a job does that does not simply run: that it waits, is retried or has stalled. Otherwise it returns "". silence is how
// long there was no news of a stalled job; 0 means that this is unknown.
func Status(p message.UploadProgress, silence time.Duration) string {
	switch p.Status {
	case message.StatusQueued:
		return "Waiting to start"
	case message.StatusWaiting:
		return "Waiting"
	case message.StatusRetrying:
		if attempt := Attempt(p); attempt != "" {
			return "Retrying, " + attempt
		}
		return "Retrying"
	case message.StatusStalled:
		if silence = max(silence, time.Duration(p.ExpectEvery)*time.Second); silence > 0 {
			return "Stalled: no news for " + Duration(silence.Truncate(time.Second))
		}
		return "Stalled"
	default:
		return ""
	}
}

// Attempt returns which try a job is at, such as "attempt 2 of 3", or "" if its worker does not say so.
func Attempt(p message.UploadProgress) string {
	switch {
	case p.Attempt <= 0:
		return ""
	case p.Of > 0:
		return "attempt " + Count(p.Attempt) + " of " + Count(p.Of)
	default:
		return "attempt " + Count(p.Attempt)
	}
}

// moves reports whether a job runs, and does not wait for anything.
func moves(p message.UploadProgress) bool { return !p.Status.Terminal() && Status(p, 0) == "" }

// Rate returns the rows per second of a running job, or "" if the rate is not known. A number under 10 thousand, million or
// billion has one decimal, and so has a rate under 1.
func Rate(p message.UploadProgress) string {
	rate := p.RowsPerSecond
	if !(rate > 0) || math.IsInf(rate, 0) || !moves(p) {
		return ""
	}
	for _, unit := range []string{"", " k", " M", " G"} {
		switch {
		case rate < 9.95 && (unit != "" || rate < 1):
			return fmt.Sprintf("%.1f%s rows/s", rate, unit)
		case rate < 999.5:
			return fmt.Sprintf("%.0f%s rows/s", rate, unit)
		}
		rate /= 1000
	}

	return "over 999 G rows/s"
}

// Left returns the remaining time of a running job, or "" if it is not known. A job that sends a rate but no remaining time has
// less than a millisecond left.
func Left(p message.UploadProgress) string {
	if p.RowsPerSecond <= 0 && p.ETAMillis <= 0 || p.ETAMillis < 0 || !moves(p) {
		return ""
	}
	const longest = 1000 * time.Hour
	return Duration(time.Duration(min(p.ETAMillis, longest.Milliseconds()))*time.Millisecond) + " left"
}

// Duration returns a duration in one or two units, rounded up to whole seconds.
func Duration(d time.Duration) string {
	seconds := int64((max(d, 0) + time.Second - 1) / time.Second)
	minutes, hours := seconds/60, seconds/3600
	switch {
	case hours >= 1000:
		return "over 999 h"
	case hours > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes%60)
	case minutes >= 10:
		return fmt.Sprintf("%d min", minutes)
	case minutes > 0:
		return fmt.Sprintf("%d min %d s", minutes, seconds%60)
	default:
		return fmt.Sprintf("%d s", seconds)
	}
}

// Rejected returns the number of rejected rows, or "" if there are none.
func Rejected(p message.UploadProgress) string {
	if p.FailedRows <= 0 {
		return ""
	}
	return Count(p.FailedRows) + " rejected"
}

// State returns the state of a job as one line, without the job's name.
func State(p message.UploadProgress) string {
	status, text, attempt := Status(p, 0), SafeText(p.Message), Attempt(p)
	if status != "" && text != "" {
		status += ": "
	}
	if p.Attempt == 1 || p.Status == message.StatusRetrying {
		attempt = ""
	}
	line := fmt.Sprintf("%5.1f %%  %s%s", p.Progress, status, text)
	if p.Status.Terminal() {
		return line
	}
	var parts []string
	for _, part := range []string{attempt, Rows(p), Rate(p), Left(p), Rejected(p)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) > 0 {
		line += "  (" + strings.Join(parts, ", ") + ")"
	}

	return line
}

// Note returns a notification as one line.
func Note(n message.Notification) string {
	return fmt.Sprintf("%s: %s. %s", SafeText(string(n.Severity)), SafeText(n.Title), SafeText(n.Message))
}
