package cloud_test

import (
	"os"
	"strings"
	"testing"
)

// figures are the rows of the first page's table of speed, and the cells of this package's page that have their figures.
var figures = []struct{ claim, table, row, column string }{
	{"a job's new state, from the notifier's call until it is in one tab", limitedStarts, "a job's first state to one connection", "later events"},
	{"the same after a pause, when the function must start first", limitedStarts, "a job's first state to one connection", "start and first event"},
	{"a tab connects while the function must start", limitedStarts, "connect", "start and first event"},
	{"a note is in 100 tabs", limitedStarts, "a note to 100 connections, HTTP/2", "later events"},
	{
		"a parts list of a million rows is split, checked and written as JSON",
		"These are\nmedians of processor time", "a row of a parts list: found, split, checked, written as JSON", "ours",
	},
}

// limitedStarts is what the page says before the table of starts that have the share of a processor from the beginning.
const limitedStarts = "the limit of 0.145 holds while it starts, too"

// TestTheSpeedInTheREADME compares the figures of the first page with the measured ones on this package's page.
func TestTheSpeedInTheREADME(t *testing.T) {
	first, measured := readPage(t, firstPage), readPage(t, "README.md")
	claims := tableAfter(t, first, "## How fast it is")
	if len(claims) != len(figures)+1 {
		t.Errorf("the table of %s has %d rows, want %d", firstPage, len(claims)-1, len(figures))
	}
	for _, figure := range figures {
		claimed := cell(t, claims, figure.claim, "median")
		median, _, _ := strings.Cut(cell(t, tableAfter(t, measured, figure.table), figure.row, figure.column), " / ")
		value, unit, _ := strings.Cut(claimed, " ")
		want := value
		if strings.HasPrefix(unit, "s of") { // a million rows take as many seconds as a row takes microseconds
			want += " µs"
		}
		if median != want {
			t.Errorf("%s says %q of %q; README.md has %q in the row %q, column %q", firstPage, claimed, figure.claim, median, figure.row, figure.column)
		}
	}
}

func readPage(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tableAfter returns the cells of the first table after a text. The first row has the names of the columns.
func tableAfter(t *testing.T, page, text string) [][]string {
	t.Helper()
	_, after, found := strings.Cut(page, text)
	start := strings.Index(after, "\n|")
	if !found || start < 0 {
		t.Fatalf("there is no table after %q", text)
	}
	table, _, _ := strings.Cut(after[start+1:], "\n\n")
	var rows [][]string
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "|---") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

// cell returns the cell of a table in the row with a first cell, and in a column.
func cell(t *testing.T, table [][]string, row, column string) string {
	t.Helper()
	for i, name := range table[0] {
		for _, cells := range table[1:] {
			if name == column && cells[0] == row && len(cells) == len(table[0]) {
				return cells[i]
			}
		}
	}
	t.Errorf("there is no row %q with a column %q", row, column)
	return ""
}
