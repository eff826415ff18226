package validate

type Profiles interface{}
type profileAt struct{}

func (x *inspection) profiles(s *subject, p []string)       {}
func (x *inspection) extensionDefined(s *subject, p *place) {}
