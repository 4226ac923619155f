package node

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// operationsName is the service through which clients scavenge.
const operationsName = "event_store.client.operations.Operations"

// operationsMessages describe what it is asked and answers: the official Go
// client has no types for them.
const operationsMessages = `
	name: "operations.proto" package: "event_store.client.operations" syntax: "proto3"
	message_type {
		name: "StartScavengeReq"
		field { name: "options" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".event_store.client.operations.StartScavengeReq.Options" }
		nested_type {
			name: "Options"
			field { name: "thread_count" number: 1 type: TYPE_INT32 label: LABEL_OPTIONAL }
			field { name: "start_from_chunk" number: 2 type: TYPE_INT32 label: LABEL_OPTIONAL }
		}
	}
	message_type {
		name: "StopScavengeReq"
		field { name: "options" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL type_name: ".event_store.client.operations.StopScavengeReq.Options" }
		nested_type {
			name: "Options"
			field { name: "scavenge_id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
		}
	}
	message_type {
		name: "ScavengeResp"
		field { name: "scavenge_id" number: 1 type: TYPE_STRING label: LABEL_OPTIONAL }
		field { name: "scavenge_result" number: 2 type: TYPE_ENUM label: LABEL_OPTIONAL type_name: ".event_store.client.operations.ScavengeResp.ScavengeResult" }
		enum_type {
			name: "ScavengeResult"
			value { name: "Started" number: 0 }
			value { name: "InProgress" number: 1 }
			value { name: "Stopped" number: 2 }
		}
	}`

// The results of a call.
const (
	respStarted protoreflect.EnumNumber = iota
	respInProgress
	respStopped
)

// operations answers the store's operations, of which there are two.
type operations struct {
	s        *Server
	messages protoreflect.MessageDescriptors
}

// registerOperations adds the service to a server. It panics when its
// description above is wrong.
func (s *Server) registerOperations(to *grpc.Server) {
	var file descriptorpb.FileDescriptorProto
	if err := prototext.Unmarshal([]byte(operationsMessages), &file); err != nil {
		panic(err)
	}
	described, err := protodesc.NewFile(&file, nil)
	if err != nil {
		panic(err)
	}
	o := &operations{s: s, messages: described.Messages()}
	to.RegisterService(&grpc.ServiceDesc{
		ServiceName: operationsName,
		HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{
			o.method("StartScavenge", "StartScavengeReq", o.start),
			o.method("StopScavenge", "StopScavengeReq", o.stop),
		},
	}, o)
}

// method serves a call with one answer; what answers it gets the request's options.
func (o *operations) method(name, request string, answer func(ctx context.Context, options protoreflect.Message) (proto.Message, error)) grpc.MethodDesc {
	described := o.messages.ByName(protoreflect.Name(request))
	handle := func(ctx context.Context, in any) (any, error) {
		m, ok := in.(*dynamicpb.Message)
		if !ok {
			return nil, fmt.Errorf("request of type %T", in)
		}
		err := o.s.auth.mayOperate(ctx)
		var out proto.Message
		if err == nil {
			out, err = answer(ctx, m.Get(described.Fields().ByName("options")).Message())
		}
		if err != nil {
			return nil, end(trailerOf{ctx}, refusalOf(err, ""))
		}
		return out, nil
	}
	return grpc.MethodDesc{MethodName: name, Handler: func(srv any, ctx context.Context, decode func(any) error, between grpc.UnaryServerInterceptor) (any, error) {
		in := dynamicpb.NewMessage(described)
		if err := decode(in); err != nil {
			return nil, err
		}
		return between(ctx, in, &grpc.UnaryServerInfo{Server: srv, FullMethod: "/" + operationsName + "/" + name}, handle)
	}}
}

func (o *operations) start(_ context.Context, options protoreflect.Message) (proto.Message, error) {
	for _, name := range []protoreflect.Name{"thread_count", "start_from_chunk"} {
		if n := options.Get(options.Descriptor().Fields().ByName(name)).Int(); n < 0 {
			return nil, invalid("'%s' must not be negative, it is %d.", name, n)
		}
	}
	id, begun, err := o.s.startScavenge()
	if err != nil {
		return nil, err
	}
	result := respStarted
	if !begun {
		result = respInProgress
	}
	return o.answer(id.String(), result), nil
}

func (o *operations) stop(_ context.Context, options protoreflect.Message) (proto.Message, error) {
	id := options.Get(options.Descriptor().Fields().ByName("scavenge_id")).String()
	if err := o.s.stopScavenge(id); err != nil {
		return nil, err
	}
	return o.answer(id, respStopped), nil
}

func (o *operations) answer(id string, result protoreflect.EnumNumber) proto.Message {
	m := dynamicpb.NewMessage(o.messages.ByName("ScavengeResp"))
	fields := m.Descriptor().Fields()
	m.Set(fields.ByName("scavenge_id"), protoreflect.ValueOfString(id))
	m.Set(fields.ByName("scavenge_result"), protoreflect.ValueOfEnum(result))
	return m
}
