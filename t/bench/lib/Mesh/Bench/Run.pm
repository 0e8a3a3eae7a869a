package Mesh::Bench::Run;

# Starts the sides, and measures cases on them.

use v5.36;

use Mesh::Bench::Instructions;
use Mesh::Bench::Load;
use Mesh::Bench::Report qw(median);
use Mesh::Bench::Server;
use Mesh::Bench::Side;
use Test::Mesh::File;
use Test::Mesh::Port;

# work (the directory of tokens), script (of wrk), sides (bare first), nginx, prepare (called with a
# case and a number of requests before it is measured), and rounds, seconds, count.
sub new ($class, %options) {
    return bless { servers => [], %options }, $class;
}

# === servers ===

# The upstream; it outlives `stop`.
sub start_upstream ($self) {
    my $port = $self->{upstream} = free_port();
    my $side = bless { name => 'upstream', nginx => $self->{nginx}, sections => {} }, 'Mesh::Bench::Side';
    my $text = Mesh::Bench::Side::upstream("$self->{work}/upstream", $port);
    $self->{behind} = $self->launch($side, 'upstream', $port, $text)->ready;
    return;
}

# Starts a server of a side, in a directory of that name; under callgrind as one process.
sub start ($self, $side, $name, $is_counted) {
    my %given = (work => $self->{work}, upstream => $self->{upstream},
        map { $_ => free_port() } qw(port tls http2));
    my $text = $side->config(%given, root => "$self->{work}/$name");
    my $server = $self->launch($side, $name, $given{port}, $text, $is_counted);
    $server->{$_} = $given{$_} for qw(tls http2);
    push $self->{servers}->@*, $server;
    return $server;
}

sub launch ($self, $side, $name, $port, $text, $is_counted = 0) {
    my $root = "$self->{work}/$name";
    mkdir $root or die "$root: $!\n";
    # Others tell by the end of a name what a file holds.
    my $config = "$root/" . ($side->is_nginx ? 'nginx.conf' : 'config.yaml');
    spew($config, $text);
    my $is_single = $is_counted || !$side->is_nginx;
    my @command = $side->command($config, root => $root, port => $port, single => $is_single);
    unshift @command, Mesh::Bench::Instructions::callgrind($root) if $is_counted;
    return Mesh::Bench::Server->start(
        name => $name, root => $root, command => \@command, port => $port, single => $is_single);
}

sub stop ($self) {
    $_->stop for splice $self->{servers}->@*;
    return;
}

sub stop_all ($self) {
    $self->stop;
    $self->{behind}->stop if $self->{behind};
    return;
}

# What a case compares: [side, location, base's side, base's location], of each side that it is for.
sub pairs ($self, $case) {
    my ($bare) = $self->{sides}->@*;
    return map {
        my $base = $_->base($case);
        $_ == $bare ? [$_, $case->{location}, $_, $case->{location}]
            : defined $base ? [$_, $case->{location}, $_, $base]
            : [$_, $case->{location}, $bare, $case->{location}];
    } grep { $_ == $bare || $_->covers($case->{location}) } $self->{sides}->@*;
}

# Each (side, location) of the pairs once.
sub places (@pairs) {
    my %seen;
    return grep { !$seen{ place($_->@*) }++ } map { ([$_->@[0, 1]], [$_->@[2, 3]]) } @pairs;
}

sub place ($side, $location) { return "$side->{name}-$location" }

sub load_on ($self, $case, $server, $location) {
    return Mesh::Bench::Load->new(case => $case, server => $server, location => $location,
        work => $self->{work}, script => $self->{script});
}

# === instructions ===

# The middle one of three counts, if the case has a bound: where the blocks of Nginx's pools lie in the
# heap moves a count by up to 300, and that follows from the length of a path.
sub count_instructions ($self, $case) {
    my @pairs = grep { $_->[0]->is_nginx } $self->pairs($case);
    my @places = places(@pairs);
    my @counts = map { $self->count_once($case, $_, @places) } '', defined $case->{most} ? qw(-again -another-time) : ();
    my %count = map {
        my $place = $_;
        my @sorted = sort { $a <=> $b } map { $_->{$place} } @counts;
        ($place => $sorted[$#sorted / 2]);
    } map { place($_->@*) } @places;
    for my $pair (@pairs) {
        my ($measured, $base) = map { $count{$_} } place($pair->@[0, 1]), place($pair->@[2, 3]);
        $case->{instructions}{ $pair->[0]{name} } =
            { count => $measured, base => $base, over => $measured - $base };
    }
    return;
}

# Every place in a fresh process: what was there before moves a count by hundreds.
sub count_once ($self, $case, $again, @places) {
    my %server = map {
        (place($_->@*) => $self->start($_->[0], "callgrind-$case->{name}-" . place($_->@*) . $again, 1))
    } @places;
    $_->ready for values %server;
    # A proof that was made before the server began is refused.
    $self->{prepare}->($case, 20 + 4 * $self->{count});
    my %count;
    for (@places) {
        my $place = place($_->@*);
        my $server = $server{$place};
        # A thousand are enough: the count does not grow with the number of tokens or keys.
        my $all = $case->{unknown} ? 0 : least($case->{count} // 1, 1000);
        my $few = { %$case, keys => $case->{keys} && 1000, $all ? (count => $all) : () };
        my $load = $self->load_on($few, $server, $_->[1]);
        my $count = $case->{unknown} ? $self->{count} / 2 : $self->{count};
        $load->send_requests($case->{keys} ? 1000 : $all) unless $case->{unknown} || $case->{proofs};
        $count{$place} = Mesh::Bench::Instructions->new($server, $server->{root})
            ->measure($count, sub ($requests) { $load->send_requests($requests) });
        $server->stop;
    }
    $self->stop;
    return \%count;
}

# === processor time ===

# Starts all sides, once for all cases.
sub start_all ($self) {
    $self->{server} = { map { $_->{name} => $self->start($_, $_->{name}, 0) } $self->{sides}->@* };
    $_->ready for values $self->{server}->%*;
    return;
}

# Rounds of all places in turn: forth, and back, so that a drift harms none.
sub time ($self, $case) {
    my @pairs = $self->pairs($case);
    my @places = places(@pairs);
    my $most = 100 * int(30_000 / ($self->{rounds} + 1) / 100);
    $self->{prepare}->($case, $most * ($self->{rounds} + 1) + 100);
    my (%load, %runs);
    for (@places) {
        my $load = $load{ place($_->@*) } = $self->load_on($case, $self->{server}{ $_->[0]{name} }, $_->[1]);
        # Every token and key once, but for those that are to be unknown.
        $load->send_requests($case->{unknown} || $case->{proofs} ? 100 : $case->{count} // 100);
        $load->run($self->{seconds}, $most) if $case->{keys};
    }
    for my $round (1 .. $self->{rounds}) {
        for (map { place($_->@*) } $round % 2 ? @places : reverse @places) {
            my $server = $load{$_}{server};
            my $before = $server->nanoseconds;
            my $run = $load{$_}->run($self->{seconds}, $most);
            $run->{nanoseconds} = $server->nanoseconds - $before;
            push $runs{$_}->@*, $run;
        }
    }
    $case->{runs} = \%runs;
    for my $pair (@pairs) {
        $case->{micros}{ $pair->[0]{name} } =
            compared($runs{ place($pair->@[0, 1]) }, $runs{ place($pair->@[2, 3]) });
    }
    return;
}

# Medians of the runs, and of the differences within each round.
sub compared ($runs, $base_runs) {
    my ($measured, $base) = map {
        [map { $_->{nanoseconds} / 1000 / $_->{requests} } @$_]
    } $runs, $base_runs;
    my @rounds = 0 .. $#$measured;
    return {
        median => median(@$measured), least => least(@$measured), base => median(@$base),
        over => median(map { $measured->[$_] - $base->[$_] } @rounds),
        ratio => median(map { $base->[$_] / $measured->[$_] } @rounds),
        per_second => median(map { $_->{requests} / $_->{seconds} } @$runs),
    };
}

# Bytes of a worker's own with so many tokens, of each side that knows tokens.
sub memory ($self, $tokens) {
    my $case = { content => 'static', tokens => 'known', count => $tokens };
    my %bytes;
    for my $side (grep { $_->is_nginx && ($_->{name} eq 'bare' || $_->covers('token')) } $self->{sides}->@*) {
        my $server = $self->{server}{ $side->{name} };
        my $load = $self->load_on($case, $server, 'token');
        $load->send_requests(100);
        $bytes{ $side->{name} }{few} = $server->private_bytes;
        $load->send_requests($tokens - 100);
        $bytes{ $side->{name} }{all} = $server->private_bytes;
    }
    my $bare = delete $bytes{bare};
    return { map {
        my $side = $bytes{$_};
        ($_ => { tokens => $tokens, over_bare => $side->{all} - $bare->{all},
            per_token => ($side->{all} - $side->{few}) / ($tokens - 100) })
    } keys %bytes };
}

sub least (@numbers) { return (sort { $a <=> $b } @numbers)[0] }

1;
