package pipeline

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// inVPC reports whether the functions are attached to a VPC.
func (p *Pipeline) inVPC() bool { return len(p.props.VPCSubnetIDs) > 0 }

// grantNetworkInterfaces lets Lambda create and delete the network interfaces of a function, which it does with the function's role.
// Lambda's documentation asks for all resources. The program of the function itself may not use these rights: its requests, and only
// they, have the key lambda:SourceFunctionArn (https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html).
func (p *Pipeline) grantNetworkInterfaces(role awsiam.Role) {
	if !p.inVPC() {
		return
	}
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions: jsii.Strings("ec2:AssignPrivateIpAddresses", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
			"ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:UnassignPrivateIpAddresses"),
		Resources:  jsii.Strings("*"),
		Conditions: &map[string]any{"Null": map[string]string{"lambda:SourceFunctionArn": "true"}},
	}))
}

// attachToVPC attaches a function to the subnets of the VPC.
func (p *Pipeline) attachToVPC(function awslambda.Function) {
	if !p.inVPC() {
		return
	}
	cfnResource[awslambda.CfnFunction](function).SetVpcConfig(&awslambda.CfnFunction_VpcConfigProperty{
		SubnetIds:        jsii.Strings(p.props.VPCSubnetIDs...),
		SecurityGroupIds: jsii.Strings(p.props.VPCSecurityGroupIDs...),
	})
}
