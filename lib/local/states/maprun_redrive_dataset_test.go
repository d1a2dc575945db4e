package states_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"github.com/herald-progress/herald/lib/asl"
	"github.com/herald-progress/herald/lib/local/states"
)

// fromObject reads the items of a Map from an object, and writes its results to the bucket.
const fromObject = `,"MaxConcurrency":1,"ItemSelector":{"n.$":"$$.Map.Item.Value"},"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSON"},
	"Parameters":{"Bucket":"b","Key":"data"}},"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"b","Prefix":"out"}}`

// fromSelected is fromObject for functions whose input is the item.
var fromSelected = strings.Replace(fromObject, `,"ItemSelector":{"n.$":"$$.Map.Item.Value"}`, "", 1)

func putObject(t *testing.T, objects *asl.MemoryObjects, key, content string) {
	t.Helper()
	if err := objects.PutObject(t.Context(), "b", key, []byte(content)); err != nil {
		t.Fatal(err)
	}
}

func getObject(t *testing.T, objects *asl.MemoryObjects, key string) string {
	t.Helper()
	object, err := objects.GetObject(t.Context(), "b", key)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(object)
	if err := errors.Join(err, object.Close()); err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestARedriveReadsNoOtherItems changes the dataset before the redrive. As on AWS, the Map run has the items that it had, and its results are
// written again.
func TestARedriveReadsNoOtherItems(t *testing.T) {
	t.Parallel()
	ended, objects := make(statusChanges, 20), &asl.MemoryObjects{}
	putObject(t, objects, "data", `[1,2,3]`)
	first, second := &work{}, &work{broken: []int{2}}
	client, service := newRedriveService(t, states.Config{StatusChanged: ended.add, Objects: objects}, twoSteps("STANDARD", fromSelected), first, second)
	execution := start(t, service, "m", "", `{}`)
	ended.nextEnded()
	arn := *onlyMapRun(t, client, execution)
	folder := "out/" + arn[strings.LastIndexByte(arn, ':')+1:] + "/"
	if manifest := getObject(t, objects, folder+"manifest.json"); !strings.Contains(manifest, folder+"FAILED_0.json") || !strings.Contains(manifest, folder+"PENDING_0.json") {
		t.Errorf("before: %s", manifest)
	}
	putObject(t, objects, "data", `[7,8]`)
	second.breaks()

	redrive(t, client, execution)
	x := ended.nextEnded()
	if got := second.breaks(); x.Status != "SUCCEEDED" || !slices.Equal(got, []int{2, 3}) {
		t.Fatalf("%v: %+v", got, x)
	}
	manifest := getObject(t, objects, folder+"manifest.json")
	if strings.Contains(manifest, "FAILED_0") || strings.Contains(manifest, "PENDING_0") || !strings.Contains(manifest, arn) || !strings.Contains(x.Output, folder+"manifest.json") {
		t.Errorf("manifest %s, output %s", manifest, x.Output)
	}
	results := getObject(t, objects, folder+"SUCCEEDED_0.json")
	if strings.Count(results, `"Output"`) != 3 || strings.Count(results, `"RedriveCount":1,"RedriveDate":"`) != 1 || strings.Count(results, `"RedriveCount":0,"RedriveStatus"`) != 2 {
		t.Errorf("results %s", results)
	}
}

// TestARedriveReadsTheItemsThatCouldNotBeRead redrives a Map run whose dataset was missing: the same Map run reads it now.
func TestARedriveReadsTheItemsThatCouldNotBeRead(t *testing.T) {
	t.Parallel()
	ended, objects := make(statusChanges, 20), &asl.MemoryObjects{}
	client, service := newRedriveService(t, states.Config{StatusChanged: ended.add, Objects: objects}, twoSteps("STANDARD", fromSelected), &work{}, &work{})
	execution := start(t, service, "m", "", `{}`)
	if x := ended.nextEnded(); x.Error != "States.ItemReaderFailed" {
		t.Fatalf("%+v", x)
	}
	putObject(t, objects, "data", `[1,2]`)
	redrive(t, client, execution)
	if x := ended.nextEnded(); x.Status != "SUCCEEDED" {
		t.Fatalf("%+v", x)
	}
	run := describeMapRun(t, client, onlyMapRun(t, client, execution))
	if *run.RedriveCount != 1 {
		t.Errorf("%+v", run)
	}
	wantCounts(t, run, types.MapRunExecutionCounts{Succeeded: 2, Total: 2, ResultsWritten: 2})
}

// heldObjects has no object at first. Then it waits for release before it returns one.
type heldObjects struct {
	asl.MemoryObjects

	asked, release chan struct{}
}

func (o *heldObjects) GetObject(ctx context.Context, bucket, key string) (io.ReadCloser, error) {
	o.asked <- struct{}{}
	<-o.release
	return o.MemoryObjects.GetObject(ctx, bucket, key)
}

// TestLimitsChangeBeforeARedriveHasItsItems updates a Map run whose redrive reads the items: the new limit holds for it.
func TestLimitsChangeBeforeARedriveHasItsItems(t *testing.T) {
	t.Parallel()
	ended := make(statusChanges, 20)
	objects := &heldObjects{asked: make(chan struct{}, 2), release: make(chan struct{}, 2)}
	begun, release := make(chan int, 2), make(chan struct{})
	client, service := newMapService(t, states.Config{StatusChanged: ended.add, Objects: objects}, fromSelected, func(in int) (int, error) {
		begun <- in
		<-release
		return in, nil
	})
	objects.release <- struct{}{}
	execution := start(t, service, "m", "", `{}`)
	ended.nextEnded()
	<-objects.asked
	putObject(t, &objects.MemoryObjects, "data", `[1,2]`)

	redrive(t, client, execution)
	<-objects.asked
	arn := onlyMapRun(t, client, execution)
	if _, err := client.UpdateMapRun(t.Context(), &sfn.UpdateMapRunInput{MapRunArn: arn, MaxConcurrency: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	objects.release <- struct{}{}
	<-begun
	<-begun // With the limit of the definition, 1, the second one would wait.
	close(release)
	if x, run := ended.nextEnded(), describeMapRun(t, client, arn); x.Status != "SUCCEEDED" || run.MaxConcurrency != 2 {
		t.Errorf("%+v, %+v", x, run)
	}
}

// TestItemsThatAreTooLargeAreNotStored checks the bound at its edge. The redrive says what it lacks, and the one after it starts a new Map
// run.
func TestItemsThatAreTooLargeAreNotStored(t *testing.T) {
	t.Parallel()
	const dataset = `{"a":1,"b":2}`
	for limit, stored := range map[int]bool{len(dataset): true, len(dataset) - 1: false} {
		ended, objects := make(statusChanges, 20), &asl.MemoryObjects{}
		putObject(t, objects, "data", dataset)
		second := &work{broken: []int{1}}
		fields := strings.Replace(fromObject, `{"n.$":"$$.Map.Item.Value"}`, `{"Key.$":"$$.Map.Item.Key","Value.$":"$$.Map.Item.Value"}`, 1)
		definition := strings.Replace(mapMachine(fields), `"W":{`, `"W":{"InputPath":"$.Value",`, 1)
		client, service := newRedriveService(t, states.Config{StatusChanged: ended.add, Objects: objects, MaxDataset: limit}, definition, &work{}, second)
		execution := start(t, service, "m", "", `{}`)
		ended.nextEnded()
		second.breaks()

		redrive(t, client, execution)
		x := ended.nextEnded()
		if stored {
			if got := second.breaks(); x.Status != "SUCCEEDED" || !slices.Equal(got, []int{1, 2}) {
				t.Errorf("stored: %v, %+v", got, x)
			}
			continue
		}
		if x.Error != "States.Runtime" || !strings.Contains(x.Cause, "The Map Run cannot be redriven: the items of the child executions that have not started are not stored.") {
			t.Errorf("not stored: %+v", x)
		}
		redrive(t, client, execution)
		x = ended.nextEnded()
		list, err := client.ListMapRuns(t.Context(), &sfn.ListMapRunsInput{ExecutionArn: &execution})
		if x.Status != "SUCCEEDED" || err != nil || len(list.MapRuns) != 2 {
			t.Errorf("the next redrive: %+v, %+v, %v", x, list, err)
		}
	}
}
