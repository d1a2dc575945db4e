package trace_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/herald-progress/herald/lib/trace"
)

func TestProgressReachesTheEndOnlyWithTheExecution(t *testing.T) {
	for name, input := range workflows {
		t.Run(name, func(t *testing.T) {
			p, averages := plan(t, name), &trace.Averages{}
			for n := range uint64(3) {
				tr := &trace.Trace{}
				events := parse(t, run(t, name, input, n))
				for i, e := range events {
					tr.Add(e)
					v := tr.View(p, averages)
					succeeded := i == len(events)-1 && tr.End() == trace.Succeeded
					if v.Progress < 0 || succeeded != (v.Progress == 100) || math.IsNaN(v.Progress) {
						t.Fatalf("the progress is %v after event %d of %d", v.Progress, i+1, len(events))
					}
				}
				if learned := averages.Learn(p, tr); learned != (tr.End() == trace.Succeeded) {
					t.Errorf("learned: %v after %s", learned, tr.End())
				}
			}
		})
	}
}

// TestTheThirdRunForecastsItsEnd prints how wrong the forecasts of the third run are: the mean and the largest error of the time left, in
// percent of the run's duration.
func TestTheThirdRunForecastsItsEnd(t *testing.T) {
	for name, input := range workflows {
		p, averages := plan(t, name), &trace.Averages{}
		for n := range uint64(3) {
			tr := &trace.Trace{}
			events := parse(t, run(t, name, input, n))
			end := time.UnixMilli(events[len(events)-1].Time)
			var sum, largest, count float64
			for _, e := range events[:len(events)-1] {
				tr.Add(e)
				if v := tr.View(p, averages); !v.Ends.IsZero() {
					wrong := math.Abs(v.Ends.Sub(end).Seconds())
					sum, largest, count = sum+wrong, max(largest, wrong), count+1
				}
			}
			tr.Add(events[len(events)-1])
			averages.Learn(p, tr)
			duration := end.Sub(tr.Started()).Seconds()
			switch {
			case n < 2 && count > 0:
				t.Errorf("%s: run %d forecasts its end", name, n+1)
			case n == 2 && count == 0 && name != "saga": // its executions fail
				t.Errorf("%s: the third run forecasts nothing", name)
			case n == 2 && count > 0:
				t.Logf("%-10s %5.1f s: told at %3.0f of %3d events, mean error %4.1f %%, largest %4.1f %%", name, duration, count, len(events)-1,
					100*sum/count/duration, 100*largest/duration)
				if 100*sum/count/duration > 10 {
					t.Errorf("%s: the forecasts are wrong by %.1f %% of %.1f s", name, 100*sum/count/duration, duration)
				}
			}
		}
	}
}

func TestAMapCountsItsItems(t *testing.T) {
	p, tr := plan(t, "thumbnails"), &trace.Trace{}
	var at []float64
	for _, e := range parse(t, run(t, "thumbnails", workflows["thumbnails"], 1)) {
		tr.Add(e)
		if e.Type == "MapIterationSucceeded" {
			at = append(at, tr.View(p, nil).Progress)
		}
	}
	for i := 1; i < len(at); i++ {
		if at[i] <= at[i-1] {
			t.Errorf("item %d makes no progress: %v", i+1, at)
		}
	}
}

func TestAveragesDoNotDependOnTheOrderOfEvents(t *testing.T) {
	p := plan(t, "analyse")
	events := parse(t, run(t, "analyse", `{}`, 1))
	want := ""
	for range 10 {
		rand.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		tr, averages := &trace.Trace{}, &trace.Averages{}
		for _, e := range events {
			if averages.Learn(p, tr) {
				t.Fatal("learned from an execution whose events are missing")
			}
			tr.Add(e)
		}
		averages.Learn(p, tr)
		data, err := averages.Marshal()
		if want == "" {
			want = string(data)
		}
		if err != nil || string(data) != want {
			t.Fatalf("another order gives other averages, error %v", err)
		}
	}
}

func TestWaitingAndRetryingAreShown(t *testing.T) {
	for name, check := range map[string]func(trace.View) bool{
		"approval": func(v trace.View) bool { return v.Waiting && v.Current.Title == "Wait for an approval" },
		"flaky":    func(v trace.View) bool { return v.Retrying && v.Current.Name == "Call service" },
	} {
		p, tr, seen := plan(t, name), &trace.Trace{}, false
		for _, e := range parse(t, run(t, name, workflows[name], 1)) {
			tr.Add(e)
			seen = seen || check(tr.View(p, nil))
		}
		if !seen || check(tr.View(p, nil)) {
			t.Errorf("%s: seen %v, and at the end %+v", name, seen, tr.View(p, nil))
		}
	}
}
