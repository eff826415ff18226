package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v3"
)

// configFile names a YAML file of settings. Its keys are the names of flags:
//
//	data: /var/lib/amate     # every command that has the flag --data
//	serve:                   # a section is for one command, and wins over the above
//	  listen: 127.0.0.1:9090
//
// A flag on the command line wins over the environment, and the environment over
// the file.
type configFile string

// BeforeResolve reads the file, once it is known which one.
func (configFile) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	name := string(ctx.FlagValue(trace.Flag).(configFile))
	if name == "" {
		return nil
	}
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	defer f.Close()
	s := settings{file: name}
	if err := yaml.NewDecoder(f).Decode(&s.keys); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("configuration file %s: %w", name, err)
	}
	ctx.AddResolver(s)
	return nil
}

// settings is a configuration file, read.
type settings struct {
	file string
	keys map[string]any
}

// Resolve returns the value that the file has for a flag, or nil.
func (s settings) Resolve(_ *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	if slices.ContainsFunc(flag.Envs, func(name string) bool { _, set := os.LookupEnv(name); return set }) {
		return nil, nil
	}
	for n := parent.Node(); n != nil && n.Type == kong.CommandNode; n = n.Parent {
		if section, ok := s.keys[n.Name].(map[string]any); ok {
			if v, ok := section[flag.Name]; ok {
				return v, nil
			}
		}
	}
	return s.keys[flag.Name], nil
}

// Validate refuses a key that is no flag, since a typing error that is passed over
// in silence is a setting that does not hold.
func (s settings) Validate(app *kong.Application) error {
	sections := map[string][]*kong.Flag{"": app.Flags}
	all := slices.Clone(app.Flags)
	for _, c := range app.Children {
		sections[c.Name] = c.Flags
		all = append(all, c.Flags...)
	}
	known := func(flags []*kong.Flag, name string) bool {
		return name != "help" && name != "config" && slices.ContainsFunc(flags, func(f *kong.Flag) bool { return f.Name == name })
	}
	var wrong []string
	for key, value := range s.keys {
		section, isSection := value.(map[string]any)
		switch flags, isCommand := sections[key]; {
		case isSection && isCommand:
			for name := range section {
				if !known(flags, name) {
					wrong = append(wrong, key+"."+name)
				}
			}
		case !known(all, key):
			wrong = append(wrong, key)
		}
	}
	if wrong != nil {
		slices.Sort(wrong)
		return fmt.Errorf("configuration file %s: no such setting: %s", s.file, strings.Join(wrong, ", "))
	}
	return nil
}
