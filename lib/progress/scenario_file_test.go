package progress_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/herald-progress/herald/lib/message"
)

// scenarioFile is a file of testdata/reporter. testdata/reporter/README.md describes the fields.
type scenarioFile struct {
	Rule  string
	Cases []scenario
}

type scenario struct {
	Name      string
	Not       []string
	Config    scenarioConfig
	Answers   []scenarioAnswer
	Steps     []scenarioStep
	Publishes []map[string]any
	Count     int
	Last      map[string]any
	Bounded   bool
}

type scenarioConfig struct {
	UploadID, FileName, JobID, Title, Epoch, Execution, Part string
	ExpectEvery, EndAfter                                    seconds
	FailedRows, Attempt, MaxAttempts                         int64
}

type scenarioAnswer struct {
	Calls       [2]int
	Takes       seconds
	Error, Text string
	Pending     bool
}

type scenarioStep struct {
	At     seconds
	Phase  *scenarioPhase
	Update *int64
	// Updates are calls of Update with each number from First to Last. Every is the time between two of them.
	Updates *struct {
		First, Last int64
		Every       seconds
	}
	Reject       int64
	Error        *struct{ Code, Message string }
	Result       string
	ListSteps    *[]message.Step
	End          message.Status
	Text         string
	Flush, Close bool
	Takes        *seconds
	Freeze       seconds
	Raises, Says string
}

type scenarioPhase struct {
	Status                             message.Status
	Name                               string
	From, To                           float64
	Steps, Done, CurrentRow, TotalRows int64
	Rows                               bool
	Text                               string
}

// seconds is a time in a scenario.
type seconds time.Duration

func (s *seconds) UnmarshalJSON(raw []byte) error {
	n, err := strconv.ParseFloat(string(raw), 64)
	*s = seconds(math.Round(n*1e6)) * seconds(time.Microsecond)
	return err
}

// readScenarios reads a file of scenarios.
func readScenarios(path string) (scenarioFile, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return scenarioFile{}, err
	}
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return scenarioFile{}, err
	}
	if raw, err = json.Marshal(withRepeatedTexts(value)); err != nil {
		return scenarioFile{}, err
	}
	var file scenarioFile
	decoder = json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	return file, decoder.Decode(&file)
}

// withRepeatedTexts returns a JSON value with each {"repeat": text, "times": number} replaced by the text that it means.
func withRepeatedTexts(value any) any {
	switch v := value.(type) {
	case []any:
		for i := range v {
			v[i] = withRepeatedTexts(v[i])
		}
	case map[string]any:
		if text, ok := v["repeat"].(string); ok {
			times, err := strconv.Atoi(fmt.Sprint(v["times"]))
			if err != nil {
				panic(err)
			}
			return strings.Repeat(text, times)
		}
		for name := range v {
			v[name] = withRepeatedTexts(v[name])
		}
	}
	return value
}
