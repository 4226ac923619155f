package node

import (
	"context"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/EventStore/EventStore-Client-Go/v4/protos/shared"
)

// persistentService manages persistent subscription groups and serves their
// consumers.
type persistentService struct {
	persistent.UnimplementedPersistentSubscriptionsServer

	g        *groups
	auth     *authority // nil for an insecure server
	stopping context.Context
}

// mayManage asks whether a caller may make, change, see or end groups.
func (s *persistentService) mayManage(ctx context.Context) error {
	return s.auth.mayOperate(ctx)
}

// mayConsume asks whether a caller may get the events of a group on a stream.
func (s *persistentService) mayConsume(ctx context.Context, stream string) error {
	return s.auth.may(ctx, rightRead, stream)
}

// refuse turns an error into the status and trailers of a call with one answer.
func refuse(ctx context.Context, err error, stream string) error {
	return end(trailerOf{ctx}, refusalOf(err, stream))
}

// Create makes a group.
func (s *persistentService) Create(ctx context.Context, in *persistent.CreateReq) (*persistent.CreateResp, error) {
	c, err := createdConfig(in.GetOptions())
	if err == nil {
		err = s.apply(ctx, c, s.g.create)
	}
	if err != nil {
		return nil, refuse(ctx, err, c.Stream)
	}
	return &persistent.CreateResp{}, nil
}

// Update changes a group's settings.
func (s *persistentService) Update(ctx context.Context, in *persistent.UpdateReq) (*persistent.UpdateResp, error) {
	c, err := updatedConfig(in.GetOptions())
	if err == nil {
		err = s.apply(ctx, c, s.g.update)
	}
	if err != nil {
		return nil, refuse(ctx, err, c.Stream)
	}
	return &persistent.UpdateResp{}, nil
}

func (s *persistentService) apply(ctx context.Context, c groupConfig, change func(context.Context, groupConfig) error) error {
	if err := s.mayManage(ctx); err != nil {
		return err
	}
	if err := c.checkNames(); err != nil {
		return err
	}
	if err := c.check(); err != nil {
		return err
	}
	if c.ResolveLinks { // a link may lead anywhere, and its reader is not asked again
		if err := s.auth.may(ctx, rightRead, "$all"); err != nil {
			return err
		}
	}
	return change(ctx, c)
}

// Delete ends a group.
func (s *persistentService) Delete(ctx context.Context, in *persistent.DeleteReq) (*persistent.DeleteResp, error) {
	stream := sourceOf(in.GetOptions().GetStreamIdentifier(), in.GetOptions().GetAll() != nil)
	err := s.mayManage(ctx)
	if err == nil {
		err = s.g.remove(ctx, stream, in.GetOptions().GetGroupName())
	}
	if err != nil {
		return nil, refuse(ctx, err, stream)
	}
	return &persistent.DeleteResp{}, nil
}

// ReplayParked begins to give out parked events again.
func (s *persistentService) ReplayParked(ctx context.Context, in *persistent.ReplayParkedReq) (*persistent.ReplayParkedResp, error) {
	o := in.GetOptions()
	stream := sourceOf(o.GetStreamIdentifier(), o.GetAll() != nil)
	if err := s.replay(ctx, stream, o); err != nil {
		return nil, refuse(ctx, err, stream)
	}
	return &persistent.ReplayParkedResp{}, nil
}

func (s *persistentService) replay(ctx context.Context, stream string, o *persistent.ReplayParkedReq_Options) error {
	if err := s.mayManage(ctx); err != nil {
		return err
	}
	to := uint64(NoLimit)
	if x, limited := o.GetStopAtOption().(*persistent.ReplayParkedReq_Options_StopAt); limited {
		if x.StopAt < 0 {
			return groupFailed(stream, o.GetGroupName(), "Cannot stop replaying parked messages at a negative version.")
		}
		to = uint64(x.StopAt)
	}
	return s.g.with(ctx, stream, o.GetGroupName(), func(r *groupRun) error {
		return r.do(ctx, func() { r.state.Replay(to) })
	})
}

// GetInfo describes a group.
func (s *persistentService) GetInfo(ctx context.Context, in *persistent.GetInfoReq) (*persistent.GetInfoResp, error) {
	stream := sourceOf(in.GetOptions().GetStreamIdentifier(), in.GetOptions().GetAll() != nil)
	info, err := s.info(ctx, stream, in.GetOptions().GetGroupName())
	if err != nil {
		return nil, refuse(ctx, err, stream)
	}
	return &persistent.GetInfoResp{SubscriptionInfo: info}, nil
}

func (s *persistentService) info(ctx context.Context, stream, name string) (info *persistent.SubscriptionInfo, err error) {
	if err := s.mayManage(ctx); err != nil {
		return nil, err
	}
	err = s.g.with(ctx, stream, name, func(r *groupRun) (err error) {
		info, err = r.info(ctx)
		return err
	})
	return info, err
}

// List describes the groups of a stream, or all.
func (s *persistentService) List(ctx context.Context, in *persistent.ListReq) (*persistent.ListResp, error) {
	only := in.GetOptions().GetListForStream()
	stream := sourceOf(only.GetStream(), only.GetAll() != nil)
	list, err := s.list(ctx, only != nil, stream)
	if err != nil {
		return nil, refuse(ctx, err, stream)
	}
	return &persistent.ListResp{Subscriptions: list}, nil
}

func (s *persistentService) list(ctx context.Context, only bool, stream string) ([]*persistent.SubscriptionInfo, error) {
	if err := s.mayManage(ctx); err != nil {
		return nil, err
	}
	var list []*persistent.SubscriptionInfo
	for _, r := range s.g.list() {
		if only && r.c.Stream != stream {
			continue
		}
		var info *persistent.SubscriptionInfo
		err := s.g.with(ctx, r.c.Stream, r.c.Group, func(r *groupRun) (err error) {
			info, err = r.info(ctx)
			return err
		})
		if err != nil && s.g.find(r.c.Stream, r.c.Group) == nil {
			continue // It was deleted meanwhile.
		}
		if err != nil {
			return nil, err
		}
		list = append(list, info)
	}
	if only && len(list) == 0 {
		return nil, noGroup(stream, "")
	}
	return list, nil
}

// RestartSubsystem lets all consumers go and begins anew.
func (s *persistentService) RestartSubsystem(ctx context.Context, _ *shared.Empty) (*shared.Empty, error) {
	err := s.mayManage(ctx)
	if err == nil {
		err = s.g.restart(ctx)
	}
	if err != nil {
		return nil, refuse(ctx, err, "")
	}
	return &shared.Empty{}, nil
}
