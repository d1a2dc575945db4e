package coverage_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/asl/coverage"
)

// shop is a workflow with all kinds of items, a loop and states inside others.
const shop = `{"StartAt":"Import","States":{
	"Import":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage",
		"Retry":[{"ErrorEquals":["A","B"]},{"ErrorEquals":["States.ALL"],"MaxAttempts":0}],
		"Catch":[{"ErrorEquals":["States.ALL"],"Next":"NotifyFailed"}],"Next":"Check"},
	"Check":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericEquals":0,"Next":"Check"},{"Variable":"$.n","NumericEquals":1,"Next":"Import"}],"Default":"Each"},
	"Each":{"Type":"Map","ItemProcessor":{"StartAt":"Both","States":{"Both":{"Type":"Parallel","End":true,"Branches":[
		{"StartAt":"Left","States":{"Left":{"Type":"Succeed"}}},{"StartAt":"Right","States":{"Right":{"Type":"Pass","End":true}}}]}}},"End":true},
	"NotifyFailed":{"Type":"Fail"}}}`

// profile returns the profile of the shop after the steps.
func profile(t *testing.T, steps ...asl.Step) *coverage.Profile {
	t.Helper()
	m, err := asl.Parse([]byte(shop))
	if err != nil {
		t.Fatal(err)
	}
	p := coverage.New("shop <&>", m)
	for _, s := range steps {
		p.Trace(s)
	}
	return p
}

func TestMissedItemsAreNamedAsInTheDefinition(t *testing.T) {
	p := profile(t,
		asl.Step{Kind: asl.StepEntered, State: "Import"},
		asl.Step{Kind: asl.StepRetried, State: "Import", Field: "Retry[0]"},
		asl.Step{Kind: asl.StepExhausted, State: "Import", Field: "Retry[1]"},
		asl.Step{Kind: asl.StepExited, State: "Import", Field: "Next"},
		asl.Step{Kind: asl.StepEntered, State: "Of another machine"},
		asl.Step{Kind: asl.StepAborted, State: "Check"},
	)
	want := `shop <&>: 23.5 % of the definition is covered, 4 of 17
  states       1 of 7
  transitions  1 of 4
  choices      0 of 3
  catchers     0 of 1
  retriers     2 of 2
never taken:
  States.Import.Catch[0] (States.ALL -> NotifyFailed)
  States.Check (Choice)
  States.Check.Choices[0] ($.n NumericEquals 0 -> Check)
  States.Check.Choices[1] ($.n NumericEquals 1 -> Import)
  States.Check.Default (-> Each)
  States.NotifyFailed (Fail)
  States.Each (Map)
  States.Each.End
  States.Each.ItemProcessor.States.Both (Parallel)
  States.Each.ItemProcessor.States.Both.End
  States.Each.ItemProcessor.States.Both.Branches[0].States.Left (Succeed)
  States.Each.ItemProcessor.States.Both.Branches[1].States.Right (Pass)
  States.Each.ItemProcessor.States.Both.Branches[1].States.Right.End
`
	if diff := cmp.Diff(want, p.Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
}

func TestShareCountsTheKinds(t *testing.T) {
	p := profile(t, asl.Step{Kind: asl.StepExhausted, State: "Import", Field: "Retry[0]"})
	for _, tt := range []struct {
		kinds []coverage.Kind
		want  float64
	}{
		{nil, 1.0 / 17}, {[]coverage.Kind{coverage.Retrier}, 0.5}, {[]coverage.Kind{coverage.Retrier, coverage.Choice}, 0.2}, {[]coverage.Kind{"none"}, 1},
	} {
		if got := p.Share(tt.kinds...); got != tt.want {
			t.Errorf("the share of %q is %v, want %v", tt.kinds, got, tt.want)
		}
	}
}

func TestAMissedItemIsNeverRoundedAway(t *testing.T) {
	m, err := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","End":true,
		"Retry":[` + strings.Repeat(`{"ErrorEquals":["X"]},`, 1099) + `{"ErrorEquals":["Y"]}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	p := coverage.New("m", m)
	for _, item := range p.Items()[:1101] {
		p.Trace(asl.Step{Kind: asl.StepEntered, State: "A"})
		p.Trace(asl.Step{Kind: asl.StepExited, State: "A", Field: strings.TrimPrefix(item.Name, "States.A.")})
	}
	if text := p.Text(); !strings.HasPrefix(text, "m: 99.9 %") {
		t.Errorf("the text begins %.60q, want 99.9 %%", text)
	}
}

func TestTraceCountsConcurrentSteps(t *testing.T) {
	p := profile(t)
	var all sync.WaitGroup
	const count = 50
	for range count {
		all.Go(func() { p.Trace(asl.Step{Kind: asl.StepEntered, State: "Import"}) })
	}
	all.Wait()
	if got := p.Items()[0].Count; got != count {
		t.Errorf("the state is counted %d times, want %d", got, count)
	}
}

func TestHTMLShowsEachItemWithoutColorAlone(t *testing.T) {
	page := profile(t, asl.Step{Kind: asl.StepEntered, State: "Import"}).HTML()
	for _, want := range []string{
		"<title>shop &lt;&amp;&gt;: coverage</title>", "✓ Import ×1", "✗ Both", "✗ Retry[0] A, B", "✗ Catch[0] States.ALL", "✗ Default",
		"stroke-dasharray", "prefers-color-scheme:dark", "States.Each.ItemProcessor.States.Both.Branches[0].States.Left (Succeed)",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
	for _, reference := range []string{"src=", "<link", "@import", "<script", "url(http"} {
		if strings.Contains(page, reference) {
			t.Errorf("the page has %s: it must need no other file", reference)
		}
	}
	svg := page[strings.Index(page, "<svg"):strings.Index(page, "</svg>")] + "</svg>"
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the drawing is no XML: %v", err)
		}
	}
}

func TestTheDrawingOfALargeMachineIsBounded(t *testing.T) {
	const count = 600 // Each state has a catcher that leads as far as the machine is long: 180,000 bends without a bound.
	var states strings.Builder
	for i := range count {
		fmt.Fprintf(&states, `"S%d":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Next":"S%d","Catch":[{"ErrorEquals":["States.ALL"],"Next":"S%d"}]},`,
			i, i+1, max(i+1, count-i))
	}
	m, err := asl.Parse(fmt.Appendf(nil, `{"StartAt":"S0","States":{%s"S%d":{"Type":"Succeed"}}}`, &states, count))
	if err != nil {
		t.Fatal(err)
	}
	page := coverage.New("large", m).HTML()
	if got, most := strings.Count(page, "<path"), 25_000; got > most {
		t.Errorf("the drawing has %d lines, want %d at most", got, most)
	}
	if !strings.Contains(page, "✗ S599<") {
		t.Error("the drawing has not each state")
	}
}
