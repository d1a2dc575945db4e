package pipeline

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// NewRefusal returns a stack that cannot be deployed, for settings that are refused. Commands that need no settings, such as
// bootstrap and destroy, work with it. The CDK shows err and does not deploy the stack. If it is told to ignore errors,
// CloudFormation refuses the stack by a rule: else it would delete what was deployed.
func NewRefusal(scope constructs.Construct, stackName string, err error) awscdk.Stack {
	stack := awscdk.NewStack(scope, jsii.String(stackName), &awscdk.StackProps{AnalyticsReporting: jsii.Bool(false)})
	awscdk.Annotations_Of(stack).AddError(jsii.String(err.Error()))
	// The CDK deletes a stack without resources.
	awscdk.NewCfnWaitConditionHandle(stack, jsii.String("Nothing"), nil)
	refuse(stack, "Settings", awscdk.Fn_ConditionEquals("settings", "refused"), "the settings were refused")

	return stack
}

// refuseRenamedTables makes CloudFormation refuse an update of the stack in which a table that it has created has another name than at the
// first deployment: it would create an empty table. how tells how to set a parameter.
func (p *Pipeline) refuseRenamedTables(stack awscdk.Stack, how string) {
	if p.props.ExistingTables {
		return
	}
	refuseRenamed(stack, how, "DeployedTable", "tableName", p.props.TableName)
	refuseRenamed(stack, how, "DeployedFeedTable", "feedTableName", p.props.FeedTableName)
}

// refuseRenamed adds the rule for one table. The parameter's default is the table's name. The CDK and CloudFormation take the default when
// the stack is created, and the value of the last deployment in each update. In a template the name of the stack, which a default cannot
// have, stands for itself.
func refuseRenamed(stack awscdk.Stack, how, parameter, key, name string) {
	name = strings.ReplaceAll(name, *awscdk.Aws_STACK_NAME(), "AWS::StackName")
	deployed := awscdk.NewCfnParameter(stack, jsii.String(parameter), &awscdk.CfnParameterProps{
		Description: jsii.String("The " + key + " of the last deployment"),
		Default:     name,
	})
	refuse(stack, parameter+"Rule", awscdk.Fn_ConditionEquals(deployed.ValueAsString(), jsii.String(name)), key+" is "+name+
		", but another table was deployed, whose rows the new one would not have. To deploy the new one: "+how+" "+parameter+"="+name)
}

// refuse makes CloudFormation refuse to create or update the stack unless the condition holds.
func refuse(stack awscdk.Stack, id string, unless awscdk.ICfnRuleConditionExpression, reason string) {
	awscdk.NewCfnRule(stack, jsii.String(id), &awscdk.CfnRuleProps{Assertions: &[]*awscdk.CfnRuleAssertion{{
		Assert:            unless,
		AssertDescription: jsii.String(reason),
	}}})
}
