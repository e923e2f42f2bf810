"""Several comparisons one after the other, and one report of all: --full, --quick, --suite."""

import configparser
import datetime
import json
import pathlib
import time

from . import claims, identity, options, page, profiles, readme


FAILED = 'failed.json'      # in the directory of a comparison: why it failed


class Suite:
    """Names and plans of the comparisons, in their order; left_out: name to why it cannot be made."""

    def __init__(self, title, results, plans, left_out=None):
        self.title, self.results, self.plans, self.left_out = title, pathlib.Path(results), plans, left_out or {}

    @classmethod
    def from_file(cls, name, results, words, only=''):
        """From suites/NAME.conf; words go to every comparison and win; only: names of those wanted.

        What needs a volume of its own is left out where a directory is named, if it was not asked for by name.
        """
        path = profiles.HOME / 'suites' / f'{name}.conf'
        if not path.is_file():
            raise profiles.ProfileError(f'no "{name}" in suites/; there are: '
                                        f'{", ".join(profiles.names("suites"))}')
        parser = configparser.ConfigParser(interpolation=None, delimiters=('=',))
        parser.read(path)
        results = pathlib.Path(results or profiles.HOME / 'results' /
                               datetime.datetime.now().strftime(f'%Y%m%d-%H%M%S-{name}'))
        plans, left_out = {}, {}
        there = [section for section in parser.sections() if section != 'suite']
        for section in only.split(',') if only else there:
            if section not in there:
                raise profiles.ProfileError(f'--only: suite {name} has no "{section}"; there are: '
                                            f'{", ".join(there)}')
            try:
                plan, _ = options.parse([*_words(parser[section]), *words, '--results', str(results / section)])
                if plan.directory and 'filesystem' in parser[section]:
                    raise options.NoVolumeError(f'{parser[section]["filesystem"]} is made on a volume of ours only, '
                                                'not with --directory')
                plans[section] = plan
            except options.NoVolumeError as error:
                if only:
                    raise
                left_out[section] = str(error)
        if not plans:
            raise options.PlanError(f'suite {name} has nothing to do: {"; ".join(dict.fromkeys(left_out.values()))}')
        return cls(parser['suite']['title'], results, plans, left_out)

    @classmethod
    def from_results(cls, directory):
        """What was begun in a directory."""
        directory = pathlib.Path(directory)
        saved = json.loads((directory / 'suite.json').read_text())
        plans = {name: options.Plan.load(directory / name / 'plan.json')
                 for name in saved['comparisons']}
        for name, plan in plans.items():
            plan.results = str(directory / name)
        return cls(saved['title'], directory, plans, saved.get('left_out'))

    def save(self, of_plan=identity.of):
        """Write all plans first, so that --resume knows what is to be done; PlanError where they do not go there."""
        target, own = self.results / 'suite.json', {'title': self.title, 'comparisons': list(self.plans)}
        if self.left_out:
            own['left_out'] = self.left_out
        if (self.results / 'plan.json').exists() or target.exists() and json.loads(target.read_text()) != own:
            raise options.PlanError(f'--results: "{self.results}" holds the results of another plan')
        for name, plan in self.plans.items():
            identity.settle(plan, self.results / name, complete(plan), of_plan)
        target.write_text(json.dumps(own, indent=1) + '\n')

    def seconds(self):
        return sum(plan.total_seconds() for plan in self.plans.values())

    def describe(self):
        """The plan as text."""
        lines = [f'{self.title}, {len(self.plans)} comparisons:']
        for name, plan in self.plans.items():
            work = f'{plan.repeat} × {plan.duration} s' if plan.driver == 'slices' else \
                f'{plan.repeat} times' if plan.task else plan.work()
            lines.append(f'  {name:<22} {plan.rounds} × {work:<10} {plan.disk_title():<30} '
                         f'{options.human_time(plan.total_seconds()):>6}  {plan.arms}')
        return '\n'.join([*lines, *claims.unfinished(self.not_made()),
                          f'time     about {options.human_time(self.seconds())}', f'results  {self.results}'])

    def not_made(self):
        """What is left out."""
        return [claims.Unfinished(name, None, reason) for name, reason in self.left_out.items()]

    def run(self, comparison_of):
        """Run what is not finished; one that fails does not stop the others.

        comparison_of(plan, label) makes a comparison; returns the exit status.
        """
        failed, started, known = [], time.monotonic(), 0
        todo = {name: 0 if complete(plan) else plan.total_seconds() for name, plan in self.plans.items()}
        left = sum(todo.values())
        for number, (name, plan) in enumerate(self.plans.items(), 1):
            begun = time.monotonic()
            slower = (begun - started) / known if known else 1      # than estimated, until now
            print(f'\n[{number}/{len(self.plans)}] {name}: about {options.human_time(left * slower)} left of all, '
                  f'{options.human_time(begun - started)} gone', flush=True)
            known, left = known + todo[name], left - todo[name]
            comparison, failure = comparison_of(plan, f'{name} · '), self.results / name / FAILED
            try:
                comparison.run()
                failure.unlink(missing_ok=True)
            except Exception as error:          # the others are worth having all the same
                comparison.progress.note(f'bench: {name}: {error}')
                failure.write_text(json.dumps({'error': str(error)}) + '\n')
                failed.append(name)
            print(f'{name}: estimated {options.human_time(plan.total_seconds())}, took '
                  f'{options.human_time(time.monotonic() - begun)}')
            shown = self.report()       # of what is finished: whoever stops here has it
        print(f'\n{shown}\ntime     estimated {options.human_time(self.seconds())}, took '
              f'{options.human_time(time.monotonic() - started)}')
        return 1 if failed else 0

    def report(self):
        """Write the report of all that there is; returns what the terminal shows."""
        finished, unfinished = self.collect()
        page.write(finished, self.results / 'report.html', self.title, unfinished)
        (self.results / 'report.md').write_text(readme.section(finished, unfinished) + '\n')
        lines = claims.unfinished(unfinished) + claims.target_lines(finished, unfinished)
        return '\n'.join([*lines, f'report   {self.results / "report.html"}', f'results  {self.results}'])

    def collect(self):
        """(results of what is finished, what is not)"""
        finished, unfinished = [], self.not_made()
        for name, plan in self.plans.items():
            failure = self.results / name / FAILED
            if complete(plan):
                finished.append(page.load(self.results / name))
            else:
                reason = json.loads(failure.read_text())['error'] if failure.exists() else ''
                unfinished.append(claims.Unfinished(name, plan, reason))
        return finished, unfinished


def complete(plan):
    """Whether every run of a plan has left its record."""
    return all((pathlib.Path(plan.results) / 'runs' / f'round-{number}-{arm.name}' / 'run.json').exists()
               for number in range(1, plan.rounds + 1) for arm in plan.arm_list())


def _words(section):
    """Lines of a section as words of a command line."""
    result = []
    for key, value in section.items():
        if value == 'yes':
            result.append(f'--{key}')
        elif key in options.LISTS:
            result += [word for item in value.split(';') for word in (f'--{key}', item.strip())]
        else:
            result.append(f'--{key}={value}')
    return result


def asked(argv):
    """(name of a suite or '', its results or '', comparisons asked for or '', the other words)."""
    found, name, rest, words = {'--results': '', '--only': ''}, '', [], list(argv)
    while words:
        word = words.pop(0)
        key, equal, value = word.partition('=')
        if key in ('--full', '--quick'):
            name = key[2:]
        elif key in ('--suite', *found):
            value = value if equal else (words.pop(0) if words else '')
            if key == '--suite':
                name = value
            else:
                found[key] = value
        else:
            rest.append(word)
    return (name, *found.values(), rest) if name else ('', '', '', list(argv))
