package watch

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/lipgloss"
	"github.com/charmbracelet/x/ansi"

	"github.com/herald-progress/herald/cdkapp/local/format"
	"github.com/herald-progress/herald/lib/message"
)

const (
	// wideFrom is the width of a screen, in columns, from which on a job's name, bar and percentage share a line.
	wideFrom = 64
	// wideHeight and narrowHeight are the numbers of lines of a running job without steps, on a wide and on a narrow screen. Both include
	// the empty line after the job.
	wideHeight, narrowHeight = 3, 4
	// percentWidth is the width of "100 %".
	percentWidth = 5
	// indent is the column of a job's details under its name.
	indent = 2
	// minName and maxName bound the width of a job's name on a wide screen, where other columns follow.
	minName, maxName = 12, 36
)

// View draws the screen: the jobs, the notes, the status line. It draws only the lines that are shown.
func (m *model) View() string {
	shown := m.body()
	for len(shown) < m.bodyHeight() {
		shown = append(shown, "")
	}
	for _, n := range m.notes[len(m.notes)-m.noteLines():] {
		shown = append(shown, m.noteLine(n.Envelope))
	}
	shown = append(shown, m.statusLine())
	for i, line := range shown {
		shown[i] = ansi.Truncate(line, m.width, "") // Only on a screen of a few columns a line is too long here.
	}

	return strings.Join(shown, "\n")
}

// body returns the lines of the jobs that are shown.
func (m *model) body() []string {
	height := m.bodyHeight()
	if len(m.jobs.running)+len(m.jobs.ended) == 0 && m.complete && height > 0 {
		return []string{m.style.faint.Render(m.style.fit("No jobs yet. They appear here when they start.", m.width))}
	}
	var shown []string
	above := m.top // the lines that are left out
	for _, j := range m.jobs.running {
		if len(shown) >= height {
			return shown[:height]
		}
		if above >= m.blockHeight(j) {
			above -= m.blockHeight(j)
			continue
		}
		shown, above = append(shown, m.runningLines(j)[above:]...), 0
	}
	for n := above; n < len(m.jobs.ended) && len(shown) < height; n++ {
		shown = append(shown, m.endedLine(m.jobs.ended[n]))
	}

	return shown[:min(len(shown), height)]
}

// blockHeight is the number of lines that runningLines returns for a job.
func (m *model) blockHeight(j job) int {
	height := narrowHeight
	if m.width >= wideFrom {
		height = wideHeight
	}
	if m.stepsShown {
		height += len(j.steps)
	}
	return height
}

// totalLines is the number of lines of all jobs, shown or not.
func (m *model) totalLines() int {
	lines := len(m.jobs.ended)
	for _, j := range m.jobs.running {
		lines += m.blockHeight(j)
	}
	return lines
}

// nameWidth is the width of a job's name on a wide screen: about a third of the line.
func (m *model) nameWidth() int { return min(max(m.width*3/10, minName), maxName) }

// runningLines returns the lines of a running job.
func (m *model) runningLines(j job) []string {
	s := m.style
	percent := fmt.Sprintf("%*s", percentWidth, format.Percent(j.Progress))
	name := s.text(j.FileName)
	if m.width >= wideFrom {
		width := m.nameWidth()
		bar := s.bar(j.Progress, m.width-width-percentWidth-4) // 4 for the blanks around the bar
		lines := []string{s.bold.Render(pad(s.fitName(name, width), width)) + "  " + bar + "  " + percent, m.details(j, indent)}
		return append(append(lines, m.stepLines(j, indent)...), "")
	}
	width := max(0, m.width-percentWidth-1) // 1 for the blank before the percentage
	lines := []string{
		s.bold.Render(pad(s.fitName(name, width), width)) + " " + s.fit(percent, m.width),
		s.bar(j.Progress, m.width), m.details(j, 0),
	}
	return append(append(lines, m.stepLines(j, 0)...), "")
}

// stepLines returns a line for each step of a job, if steps are shown: its mark, when it began, and its title. The lines begin with column
// blanks.
func (m *model) stepLines(j job, column int) []string {
	if !m.stepsShown {
		return nil
	}
	s, lines := m.style, []string{}
	for _, step := range j.steps {
		mark, look := s.running, s.accent
		switch step.Status {
		case message.StepSucceeded:
			mark, look = s.marks[message.StatusSucceeded], s.good
		case message.StepFailed:
			mark, look = s.marks[message.StatusFailed], s.bad
		}
		const layout = "15:04:05"
		at := strings.Repeat(" ", len(layout))
		if !step.At.IsZero() {
			at = step.At.Local().Format(layout)
		}
		name := s.text(cmp.Or(step.Title, step.Name))
		lines = append(lines, strings.Repeat(" ", column)+look.Render(mark)+" "+s.faint.Render(at)+"  "+s.fit(name, m.width-column-len(at)-4)) // 4 for the mark and 3 blanks
	}
	return lines
}

// detail is a part of a line, such as the phase of a job. If the line is too long, the parts with the greatest rank are left out
// first.
type detail struct {
	text string
	rank int
	look lipgloss.Style
}

// details returns a line with the phase and the numbers of a running job. The line begins with column blanks, and leaves out the
// parts that have no room.
func (m *model) details(j job, column int) string {
	s := m.style
	parts := append(m.doing(j), detail{format.Rows(j.UploadProgress), 2, s.faint})
	if silent := m.now().Sub(j.newsAt); silent < silentAfter {
		parts = append(parts, detail{format.Rate(j.UploadProgress), 4, s.faint}, detail{format.Left(j.UploadProgress), 3, s.faint})
	} else if !isSilent(j.Status) {
		parts = append(parts, detail{"no news for " + format.Duration(silent.Truncate(time.Second)), 1, s.warn})
	}
	parts = append(parts, detail{format.Rejected(j.UploadProgress), 1, s.warn})
	parts = slices.DeleteFunc(parts, func(d detail) bool { return d.text == "" })

	return strings.Repeat(" ", column) + s.join(parts, m.width-column)
}

// doing returns what a running job does: its status and its message, or its phase if it simply runs, and which try it is at.
func (m *model) doing(j job) []detail {
	s := m.style
	parts := []detail{{s.text(cmp.Or(j.Phase, j.Message)), 0, s.faint}}
	if status := format.Status(j.UploadProgress, m.now().Sub(j.at)); status != "" {
		look := s.faint
		if j.Status == message.StatusStalled || j.Status == message.StatusRetrying {
			look = s.warn
		}
		parts = []detail{{status, 0, look}, {s.text(j.Message), 1, s.faint}}
	}
	if j.Attempt > 1 && j.Status != message.StatusRetrying {
		parts = append(parts, detail{format.Attempt(j.UploadProgress), 3, s.faint})
	}
	return parts
}

// isSilent reports whether silence of a job with this status is no news: the job waits for something, or its status says it already.
func isSilent(status message.Status) bool {
	return status == message.StatusQueued || status == message.StatusWaiting || status == message.StatusStalled
}

// join returns the parts in their order, with dots between them. It leaves out parts that have no room: parts of lower rank get their
// room first. The part of the lowest rank is always there.
func (s *style) join(parts []detail, width int) string {
	byRank := slices.Clone(parts)
	slices.SortStableFunc(byRank, func(a, b detail) int { return a.rank - b.rank })
	room, leftOut := width, map[string]bool{} // leftOut by the text of the part
	for i, d := range byRank {
		size := ansi.StringWidth(d.text)
		if i > 0 {
			size += ansi.StringWidth(s.dot)
		}
		if leftOut[d.text] = i > 0 && size > room; !leftOut[d.text] {
			room -= size
		}
	}
	parts = slices.DeleteFunc(slices.Clone(parts), func(d detail) bool { return leftOut[d.text] })
	var b strings.Builder
	for i, d := range parts {
		if i > 0 {
			b.WriteString(s.faint.Render(s.dot))
		}
		b.WriteString(d.look.Render(s.fit(d.text, width)))
	}
	return b.String()
}

// endedLine returns the line of an ended job: mark, name, percentage, message and time of the end. A narrow screen has room only for
// mark, name and message. There the name gets two fifths of the line. The mark and the blank after it take 2 columns.
func (m *model) endedLine(j job) string {
	s := m.style
	mark, width, percent, at := s.look(j.Status).Render(s.marks[j.Status]), m.width*2/5-2, "", ""
	if m.width >= wideFrom {
		width = m.nameWidth() - 2
		percent = fmt.Sprintf(" %*s", percentWidth, format.Percent(j.Progress))
		at = "  " + j.at.Local().Format("15:04")
	}
	width = max(width, 0)
	rest := max(0, m.width-2-width-len(percent)-2-len(at)) // for the message, which has 2 blanks before it
	text := s.text(j.Message)
	if j.Result != "" {
		text += s.dot + s.text(nameOfResult(j.Result))
	}
	return mark + " " + pad(s.fitName(s.text(j.FileName), width), width) + percent + "  " +
		s.faint.Render(pad(s.fit(text, rest), rest)+at)
}

// nameOfResult returns an https URL as it is, and of a key of S3 the name of the file.
func nameOfResult(result string) string {
	if strings.HasPrefix(result, "https://") {
		return result
	}
	return path.Base(result)
}

// look returns the style of an ended job's mark.
func (s *style) look(status message.Status) lipgloss.Style {
	switch status {
	case message.StatusSucceeded:
		return s.good
	case message.StatusFailed:
		return s.bad
	default:
		return s.faint
	}
}

// noteLine returns the line of a note.
func (m *model) noteLine(e message.Envelope) string {
	s := m.style
	look, text := s.accent, ""
	switch data := e.Data.(type) {
	case message.Notification:
		text = format.Note(data)
		switch data.Severity {
		case message.SeveritySuccess:
			look = s.good
		case message.SeverityWarning:
			look = s.warn
		case message.SeverityError:
			look = s.bad
		}
	case message.Error:
		look, text = s.bad, "error: "+format.SafeText(data.Message)
	}

	return look.Render(s.fit(s.text(text), m.width))
}

// statusLine returns the state of the connection, the number of jobs, and the keys, as far as they have room.
func (m *model) statusLine() string {
	s, c := m.style, m.conn
	look := map[state]lipgloss.Style{connecting: s.faint, catchingUp: s.accent, live: s.good, offline: s.warn, refused: s.bad}[c.state]
	text := s.lights[c.state] + " " + c.state.String()
	if c.state == offline || c.state == refused {
		if wait := c.retryAt.Sub(m.now()); wait > 0 {
			text += ", again in " + format.Duration(wait)
		} else {
			text += ", trying again"
		}
		text += ": " + s.text(c.reason)
	}
	parts := []detail{{text, 0, look}}
	if n := len(m.jobs.running); n > 0 {
		parts = append(parts, detail{format.Count(int64(n)) + " running", 2, s.faint})
	}
	if n := len(m.jobs.ended); n > 0 {
		parts = append(parts, detail{format.Count(int64(n)) + " ended", 2, s.faint})
	}
	if below := m.totalLines() - m.top - m.bodyHeight(); below > 0 || m.top > 0 {
		parts = append(parts, detail{fmt.Sprintf("%s %s", s.scrollKeys, position(m.top, below)), 1, s.faint})
	}
	if slices.ContainsFunc(m.jobs.running, func(j job) bool { return len(j.steps) > 0 }) {
		parts = append(parts, detail{map[bool]string{false: "s shows steps", true: "s hides steps"}[m.stepsShown], 3, s.faint})
	}
	parts = append(parts, detail{"q quits", 3, s.faint})

	return s.join(parts, m.width)
}

// position says in words how many lines of jobs are above and below the lines on the screen.
func position(above, below int) string {
	switch {
	case above == 0:
		return format.Count(int64(below)) + " more"
	case below <= 0:
		return format.Count(int64(above)) + " above"
	default:
		return format.Count(int64(above)) + " above, " + format.Count(int64(below)) + " below"
	}
}
