package local_test

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"github.com/herald-progress/herald/lib/local"
)

// thumbsMachine reads a table from the object that the input names, and writes the results to the bucket. A row without a picture fails.
const thumbsMachine = `{"StartAt":"Thumbs","States":{"Thumbs":{"Type":"Map","Label":"Thumbs","End":true,"MaxConcurrency":2,"ToleratedFailureCount":1,
	"ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"CSV","CSVHeaderLocation":"FIRST_ROW"},"Parameters":{"Bucket":"herald-uploads","Key.$":"$.key"}},
	"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"Check","States":{
		"Check":{"Type":"Choice","Choices":[{"Variable":"$.picture","StringEquals":"","Next":"None"}],"Default":"Make"},
		"None":{"Type":"Fail","Error":"NoPicture","Cause":"The row has no picture"},
		"Make":{"Type":"Pass","Parameters":{"thumb.$":"States.Format('{}-{}', $.picture, $.size)"},"End":true}}},
	"ResultWriter":{"Resource":"arn:aws:states:::s3:putObject","Parameters":{"Bucket":"herald-uploads","Prefix":"thumbs"},"WriterConfig":{"Transformation":"COMPACT","OutputType":"JSON"}}}}}`

// readObject returns the text of an object.
func readObject(t *testing.T, client *s3.Client, key string) string {
	t.Helper()
	out, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(local.Bucket), Key: &key})
	if err != nil {
		t.Fatalf("%s: %v", key, err)
	}
	defer out.Body.Close()
	text, err := io.ReadAll(out.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestAWorkflowOverATableInS3RunsOnTheTwin puts a table, creates the workflow, starts it, and reads the results that it has written, all
// with the AWS SDK.
func TestAWorkflowOverATableInS3RunsOnTheTwin(t *testing.T) {
	t.Parallel()
	twin, ended := startWithEnds(t, local.Config{})
	objects, workflows := twinS3(twin), sfn.NewFromConfig(twin.AWSConfig())
	if _, err := objects.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(local.Bucket), Key: aws.String("album.csv"), Body: strings.NewReader("picture,size\na.jpg,64\n,64\nb.jpg,128\n"),
	}); err != nil {
		t.Fatal(err)
	}
	machine, err := workflows.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: aws.String("thumbs"), Definition: aws.String(thumbsMachine), RoleArn: aws.String("arn:aws:iam::000000000000:role/mine"),
	})
	if err != nil {
		t.Fatal(err)
	}
	run := func(key string) *sfn.DescribeExecutionOutput {
		t.Helper()
		started, err := workflows.StartExecution(t.Context(), &sfn.StartExecutionInput{
			StateMachineArn: machine.StateMachineArn, Input: aws.String(fmt.Sprintf(`{"key":%q}`, key)),
		})
		if err != nil {
			t.Fatal(err)
		}
		<-ended
		x, err := workflows.DescribeExecution(t.Context(), &sfn.DescribeExecutionInput{ExecutionArn: started.ExecutionArn})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}

	x := run("album.csv")
	var output struct {
		MapRunArn           string
		ResultWriterDetails struct{ Bucket, Key string }
	}
	if err := json.Unmarshal([]byte(aws.ToString(x.Output)), &output); err != nil || x.Status != "SUCCEEDED" {
		t.Fatalf("%s: %s %s %s", x.Status, aws.ToString(x.Output), aws.ToString(x.Error), aws.ToString(x.Cause))
	}
	folder := strings.TrimSuffix(output.ResultWriterDetails.Key, "manifest.json")
	if manifest := readObject(t, objects, folder+"manifest.json"); !strings.Contains(manifest, folder+"SUCCEEDED_0.json") {
		t.Errorf("the manifest is %s", manifest)
	}
	if got := readObject(t, objects, folder+"SUCCEEDED_0.json"); got != `[{"thumb":"a.jpg-64"},{"thumb":"b.jpg-128"}]` {
		t.Errorf("succeeded: %s", got)
	}
	if got := readObject(t, objects, folder+"FAILED_0.json"); !strings.Contains(got, `"Error":"NoPicture"`) {
		t.Errorf("failed: %s", got)
	}

	mapRun, err := workflows.DescribeMapRun(t.Context(), &sfn.DescribeMapRunInput{MapRunArn: &output.MapRunArn})
	if err != nil || mapRun.ExecutionCounts.Succeeded != 2 || mapRun.ExecutionCounts.Failed != 1 || mapRun.ItemCounts.Total != 3 {
		t.Errorf("the Map run is %+v, %v", mapRun, err)
	}
	failed := run("none.csv")
	const cause = "The specified key does not exist. (Service: Amazon S3; Status Code: 404; Error Code: NoSuchKey; Request ID: "
	if aws.ToString(failed.Error) != "States.ItemReaderFailed" || !strings.HasPrefix(aws.ToString(failed.Cause), cause) {
		t.Errorf("without a table: %s %s", aws.ToString(failed.Error), aws.ToString(failed.Cause))
	}
}

// TestAWorkflowOverAListingRunsOnTheTwin lists more objects than a page has.
func TestAWorkflowOverAListingRunsOnTheTwin(t *testing.T) {
	t.Parallel()
	const count = 1003
	twin, ended := startWithEnds(t, local.Config{StateMachines: map[string]string{"list": `{"StartAt":"L","States":{"L":{"Type":"Map","End":true,
		"ItemReader":{"Resource":"arn:aws:states:::s3:listObjectsV2","Parameters":{"Bucket":"herald-uploads","Prefix":"many/"}},
		"ItemSelector":{"k.$":"$$.Map.Item.Value.Key"},"ItemBatcher":{"MaxItemsPerBatch":500},
		"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"P","States":{
			"P":{"Type":"Pass","Parameters":{"n.$":"States.ArrayLength($.Items)"},"OutputPath":"$.n","End":true}}}}}}`}})
	objects := twinS3(twin)
	for i := range count {
		if _, err := objects.PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String(local.Bucket), Key: aws.String(fmt.Sprintf("many/%04d", i)), Body: strings.NewReader("x"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sfn.NewFromConfig(twin.AWSConfig()).StartExecution(t.Context(), &sfn.StartExecutionInput{
		StateMachineArn: aws.String("arn:aws:states:us-east-1:000000000000:stateMachine:list"),
	}); err != nil {
		t.Fatal(err)
	}
	if x := <-ended; x.Output != `[500,500,3]` {
		t.Errorf("%s: %s %s %s", x.Status, x.Output, x.Error, x.Cause)
	}
}
