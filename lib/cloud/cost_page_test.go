package cloud_test

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// List prices in us-east-1, in dollars.
const (
	million             = 1e6
	perTransition       = 25.00 / million
	perInvocation       = 0.20 / million
	perGBSecond         = 0.0000133334
	perReadUnit         = 0.125 / million
	perWriteUnit        = 0.625 / million
	perMessage          = 1.00 / million
	perConnectionMinute = 0.25 / million
	perLoggedGB         = 0.50
)

const (
	// functionGB is the memory of the functions that the rows invoke.
	functionGB = 0.25
	// processorTime is what a function of 256 MB, which has 0.145 of a processor, takes for a request to DynamoDB or for a post: the
	// program's part of the times in the table of speed. A worker with a whole processor takes 0.145 of it, which costs the same.
	processorTime = time.Millisecond
)

// dollars returns the prices of what AWS charges for, in the order of the table's columns, and their sum at the end.
func (u *usage) dollars() []float64 {
	computing := u.running + time.Duration(u.requests+u.posts)*processorTime
	prices := []float64{
		float64(u.transitions) * perTransition,
		float64(u.invocations)*perInvocation + computing.Seconds()*functionGB*perGBSecond,
		u.reads*perReadUnit + u.writes*perWriteUnit,
		float64(u.messages) * perMessage,
		u.connected.Minutes() * perConnectionMinute,
		float64(u.logged) / 1e9 * perLoggedGB,
	}
	sum := 0.0
	for _, price := range prices {
		sum += price
	}
	return append(prices, sum)
}

// costPage is the page with the tables of costs, and the first page, which names two of the sums.
type costPage struct{ deploy, first string }

const (
	deployPage = "../../cdkapp/README.md"
	firstPage  = "../../README.md"
	// dollarTable is the heading of the table of prices. The table of counts is before it.
	dollarTable = "| a million | Step Functions | Lambda | DynamoDB | messages | minutes | logs | sum |"
)

func readCostPage(t *testing.T) *costPage {
	t.Helper()
	deploy, err := os.ReadFile(deployPage)
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(firstPage)
	if err != nil {
		t.Fatal(err)
	}
	return &costPage{string(deploy), string(first)}
}

// write writes the pages.
func (p *costPage) write(t *testing.T) {
	t.Helper()
	for path, text := range map[string]string{deployPage: p.deploy, firstPage: p.first} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// check compares the rows with a name with what was measured, or writes them if update is set. counted is how many of what the row
// names were measured.
func (p *costPage) check(t *testing.T, name string, u usage, counted int) {
	t.Helper()
	per1000 := func(n float64) string { return fmt.Sprintf("%g", n*1000/float64(counted)) }
	counts := []string{
		per1000(float64(u.invocations)), per1000(float64(u.requests)), per1000(u.reads), per1000(u.writes), per1000(float64(u.posts)),
	}
	prices := u.dollars()
	million := make([]string, len(prices))
	for i, price := range prices {
		if million[i] = ""; price > 0 {
			million[i] = fmt.Sprintf("$%.2f", price*1e6/float64(counted))
		}
	}

	before, after, found := strings.Cut(p.deploy, dollarTable)
	if !found {
		t.Fatalf("%s lacks the table %s", deployPage, dollarTable)
	}
	before = checkRow(t, before, name, counts)
	after = checkRow(t, after, strings.TrimPrefix(name, "1,000 "), million)
	p.deploy = before + dollarTable + after
	sum := million[len(million)-1]
	for claim, row := range map[string]string{
		`A million updates to two tabs cost (\$[\d.]+), by`:  "from one worker's Reporter, ten a second",
		`A workflow state for each update costs (\$[\d.]+):`: "a notify state each, 2 s apart: none coalesced",
	} {
		if row == name {
			p.checkClaim(t, regexp.MustCompile(claim), sum)
		}
	}
}

// checkRow compares the cells of the page's row with what was measured, or replaces them if update is set. It returns the text.
func checkRow(t *testing.T, text, name string, measured []string) string {
	t.Helper()
	head, rest, found := strings.Cut(text, "\n| "+name+" |")
	line, tail, _ := strings.Cut(rest, "\n")
	row := " " + strings.Join(measured, " | ") + " |"
	switch {
	case !found:
		t.Errorf("a table of %s lacks a row:\n| %s |%s", deployPage, name, row)
		return text
	case *update:
		return head + "\n| " + name + " |" + row + "\n" + tail
	case differs(line, row):
		t.Errorf("a row of %s is not what was measured:\n| %s |%s", deployPage, name, row)
	}
	return text
}

// differs reports whether the cells of a row differ from the measured ones. Requests, reads and prices may differ by 3 %, and prices by
// a cent: whether connections were read for a state that is not pushed depends on the timing.
func differs(stated, measured string) bool {
	const tolerance, cent, requestsColumn, readsColumn = 0.03, 0.0101, 1, 2
	want, got := strings.Split(stated, "|"), strings.Split(measured, "|")
	if len(want) != len(got) {
		return true
	}
	for i := range got {
		wantText, wantPrice := strings.CutPrefix(strings.TrimSpace(want[i]), "$")
		gotText, isPrice := strings.CutPrefix(strings.TrimSpace(got[i]), "$")
		wantNumber, _ := strconv.ParseFloat(wantText, 64)
		gotNumber, _ := strconv.ParseFloat(gotText, 64)
		allowed := 0.0
		switch {
		case isPrice:
			allowed = max(cent, tolerance*gotNumber)
		case i == requestsColumn || i == readsColumn:
			allowed = tolerance * gotNumber
		}
		if isPrice != wantPrice || math.Abs(wantNumber-gotNumber) > allowed {
			return true
		}
	}
	return false
}

// checkClaim compares a sum in the first page with the measured one, or replaces it if update is set.
func (p *costPage) checkClaim(t *testing.T, claim *regexp.Regexp, sum string) {
	t.Helper()
	found := claim.FindStringSubmatchIndex(p.first)
	switch {
	case found == nil:
		t.Errorf("%s does not say %s", firstPage, claim)
	case *update:
		p.first = p.first[:found[2]] + sum + p.first[found[3]:]
	case differs(p.first[found[2]:found[3]], sum):
		t.Errorf("%s says %s, want %s", firstPage, p.first[found[0]:found[1]], sum)
	}
}

// TestTheSumsOfTheCostsAddUp adds the prices of each row. It needs no emulator.
func TestTheSumsOfTheCostsAddUp(t *testing.T) {
	_, table, _ := strings.Cut(readCostPage(t).deploy, dollarTable)
	rows := 0
	for line := range strings.Lines(strings.TrimPrefix(table, "\n")) {
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		if len(cells) < 3 {
			break
		}
		sum, last := 0.0, 0.0
		for _, cell := range cells[1:] {
			last, _ = strconv.ParseFloat(strings.Trim(cell, " $"), 64)
			sum += last
		}
		if sum -= last; math.Abs(sum-last) > 0.0301 { // each of six prices is rounded
			t.Errorf("the prices add up to %.2f:%s", sum, line)
		}
		if last > 0 {
			rows++
		}
	}
	if rows != len(costs) {
		t.Errorf("%d rows, want %d", rows, len(costs))
	}
}

// checkTable compares the rows of a table of the deployer's page, or writes them if update is set.
func checkTable(t *testing.T, heading string, rows []string) {
	t.Helper()
	page := readCostPage(t)
	before, after, found := strings.Cut(page.deploy, heading+"\n")
	if !found {
		t.Fatalf("%s lacks the table\n%s", deployPage, heading)
	}
	rule, after, _ := strings.Cut(after, "\n")
	stated, rest, _ := strings.Cut(after, "\n\n")
	want := strings.Join(rows, "\n")
	switch {
	case *update:
		page.deploy = before + heading + "\n" + rule + "\n" + want + "\n\n" + rest
		page.write(t)
	case stated != want:
		t.Errorf("a table of %s is\n%s\nwant\n%s", deployPage, stated, want)
	}
}

// thousands returns a number with commas.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return thousands(n/1000) + fmt.Sprintf(",%03d", n%1000)
}
