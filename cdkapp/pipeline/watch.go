package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogsdestinations"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsstepfunctions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/herald-progress/herald/lambdas"
	"github.com/herald-progress/herald/lib/observe"
)

// observerName and observerDeadLetters are the name of the observer in the table of functions, and the id of its dead-letter queue.
const (
	observerName        = "observer"
	observerDeadLetters = "ObserverDeadLetters"
)

// maxVariables bounds the list of the watched state machines, in bytes. The variables of a function may have 4,096 bytes
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
const maxVariables = 3000

// errAfterList means that a list is not all of a text.
var errAfterList = errors.New("something follows the list")

// ErrWatch means that a state machine cannot be watched.
var ErrWatch = errors.New("pipeline: watch")

// WatchProps says what the job of an execution is.
type WatchProps struct {
	// LogGroup is the log group of the state machine. Its logging must have the level ALL. For an Express workflow it must also include
	// execution data, because its input is nowhere else. A log group takes two subscription filters: Watch adds one.
	LogGroup awslogs.ILogGroup
	// UserPath is where an execution's input has the id of the user who sees its job, such as $.detail.userId. An execution without a user
	// has no job.
	UserPath string
	// JobPath is where the input has the id of the job. Empty means that the name of the execution is the id.
	JobPath string
	// TitlePath is where the input has the title of the job. Empty means that the name of the state machine is the title.
	TitlePath string
}

// WatchedStateMachine is a state machine in the setting watchedStateMachines.
type WatchedStateMachine struct {
	observe.Machine

	// LogGroup is the name of the state machine's log group. Empty is the name that the console gives: /aws/vendedlogs/states/NAME-Logs.
	LogGroup string `json:"logGroup,omitzero"`
}

// Watch shows the progress of a state machine's executions, without a change of its definition: it creates the observer if it is the first
// one, sends the machine's log lines to it, and a rule for the executions that start. An error wraps [ErrWatch] and names the field.
func (p *Pipeline) Watch(machine awsstepfunctions.IStateMachine, props WatchProps) error {
	m := observe.Machine{ARN: *machine.StateMachineArn(), User: props.UserPath, Job: props.JobPath, Title: props.TitlePath}
	if err := m.ValidatePaths(); err != nil {
		return fmt.Errorf("%w: %w", ErrWatch, err)
	}
	switch {
	case props.LogGroup == nil:
		return fmt.Errorf("%w: LogGroup is nil: set it to the log group of the state machine", ErrWatch)
	case len(p.watched) == observe.MaxMachines:
		return fmt.Errorf("%w: at most %d state machines", ErrWatch, observe.MaxMachines)
	}
	machines := append(p.watched, m) //nolint:gocritic // p.watched follows below
	list, err := json.Marshal(machines)
	if err != nil || len(list) > maxVariables {
		return fmt.Errorf("%w: the ARNs and paths of all state machines have %d bytes, at most %d: use shorter paths", ErrWatch, len(list), maxVariables)
	}
	p.watched = machines
	observer := p.observer()
	observer.AddEnvironment(jsii.String(lambdas.EnvWatched), jsii.String(string(list)), nil)

	scope := constructs.NewConstruct(p.Construct, jsii.String(fmt.Sprint("Watch", len(p.watched))))
	awslogs.NewSubscriptionFilter(scope, jsii.String("Logs"), &awslogs.SubscriptionFilterProps{
		LogGroup:      props.LogGroup,
		Destination:   awslogsdestinations.NewLambdaDestination(observer, nil),
		FilterPattern: awslogs.FilterPattern_AllEvents(), // the observer learns only from executions of which it has all events
	})
	awsevents.NewRule(scope, jsii.String("Started"), &awsevents.RuleProps{
		Description: jsii.String("Herald: an execution of a watched workflow started"),
		EventPattern: &awsevents.EventPattern{
			Source:     jsii.Strings("aws.states"),
			DetailType: jsii.Strings("Step Functions Execution Status Change"),
			Detail:     &map[string]any{"status": []any{"RUNNING"}, "stateMachineArn": []any{machine.StateMachineArn()}},
		},
		Targets: &[]awsevents.IRuleTarget{
			awseventstargets.NewLambdaFunction(observer, &awseventstargets.LambdaFunctionProps{
				DeadLetterQueue: p.deadLetters[observerDeadLetters],
				RetryAttempts:   jsii.Number(eventRetries),
				MaxEventAge:     awscdk.Duration_Hours(jsii.Number(eventMaxAgeHours)),
			}),
		},
	})
	return nil
}

// observer returns the function that observes executions. The first call creates it.
func (p *Pipeline) observer() awslambda.Function {
	if function, ok := p.functions[observerName]; ok {
		return function
	}
	f, _ := lambdas.ByName(observerName)
	return p.deploy(f)
}

// watchSettings watches the state machines in the settings.
func (p *Pipeline) watchSettings() error {
	for _, w := range p.props.WatchedStateMachines {
		id := jsii.String("Watched" + w.ARN[strings.LastIndexByte(w.ARN, ':')+1:])
		scope := constructs.NewConstruct(p.Construct, id)
		err := p.Watch(awsstepfunctions.StateMachine_FromStateMachineArn(scope, jsii.String("StateMachine"), jsii.String(w.ARN)), WatchProps{
			LogGroup: awslogs.LogGroup_FromLogGroupName(scope, jsii.String("Logs"), jsii.String(w.logGroup())),
			UserPath: w.User, JobPath: w.Job, TitlePath: w.Title,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// logGroup returns the name of the state machine's log group.
func (w WatchedStateMachine) logGroup() string {
	if w.LogGroup != "" {
		return w.LogGroup
	}
	return "/aws/vendedlogs/states/" + w.ARN[strings.LastIndexByte(w.ARN, ':')+1:] + "-Logs"
}

// checkWatched checks the state machines of the setting.
func checkWatched(c *checker, s setting, all *Settings) {
	machines := all.Props.WatchedStateMachines
	if len(machines) > observe.MaxMachines {
		c.addf("%s: there are %d state machines, at most %d may be watched", s.key, len(machines), observe.MaxMachines)
	}
	for _, m := range machines {
		if err := m.ValidatePaths(); err != nil {
			c.addf("%s: %s", s.key, err)
		}
	}
	c.checkWatchedNames(s.key, machines)
}

// watchedList reads the value of a setting with state machines: a list of objects, or JSON text with one.
func (r *reader) watchedList(key string) []WatchedStateMachine {
	value, ok := r.value(key)
	if !ok {
		return nil
	}
	text, isText := value.(string)
	if !isText {
		raw, err := json.Marshal(value)
		if err != nil {
			r.addf("%s: %v", key, err)
			return nil
		}
		text = string(raw)
	}
	var machines []WatchedStateMachine
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&machines)
	if _, after := d.Token(); err == nil && !errors.Is(after, io.EOF) {
		err = errAfterList
	}
	if err != nil {
		r.addf(`%s: it must be a list such as [{"arn": "arn:aws:states:...:stateMachine:render", "user": "$.userId"}]: %v`, key, err)
		return nil
	}
	if len(machines) == 0 {
		return nil
	}
	return machines
}
