package Mesh::Bench::Load;

# The requests of one case to one location of one server: a certain number of them, or for a time.

use v5.36;

use Time::HiRes qw(time);

use Mesh::Bench::Client;
use Test::Mesh::File;
use Test::Mesh::Process qw(output_of);

# case, location, server, work (the directory of tokens), script (of wrk).
sub new ($class, %options) {
    my $self = bless { next => 0, %options }, $class;
    my $case = $self->{case};
    $self->{path} = "/$self->{location}/$case->{content}/" . ($case->{query} // '');
    if ($case->{fields}) {
        $self->{fields} = "$self->{work}/fields-$case->{name}";
        spew($self->{fields}, $self->field_lines);
    }
    return $self;
}

# So many requests on one connection.
sub send_requests ($self, $count) {
    if ($self->{case}{http2}) {
        $self->h2load('-c1', '-m1', "-n$count");
    } else {
        $self->client->exchange($count, $self->sender);
    }
    return;
}

# Requests for so many seconds: how many, and how long it took. At most `$most` where each can be
# sent only once.
sub run ($self, $seconds, $most) {
    my $case = $self->{case};
    return $self->run_h2load($seconds) if $case->{http2};
    # wrk presents no certificate and no proof: one connection of our own, one request at a time.
    return $self->run_client($seconds, $case->{proofs} ? $most : undef) if $case->{tls} || $case->{proofs};
    return $self->run_wrk($seconds);
}

sub run_wrk ($self, $seconds) {
    my ($case, $server) = $self->@{qw(case server)};
    my $text = output_of(
        qw(wrk -t1 -c16), "-d${seconds}s", '-s', $self->{script}, "http://127.0.0.1:$server->{port}",
        '--', $self->{path}, $case->{tokens} ? "$self->{work}/$case->{tokens}" : '-',
        $case->{count} // 0, $self->{next}, $case->{keys} // 0, $self->{fields} // '-',
    );
    my ($requests, $micros, $refused, $broken) =
        $text =~ /^result (\d+) (\d+) (\d+) (\d+) \d+$/m or die "wrk printed: $text\n";
    my $unexpected = ($case->{status} // 200) >= 400 ? $requests - $refused : $refused;
    die "$case->{name}: $unexpected unexpected answers and $broken broken connections\n",
        $server->last_words if $unexpected > ($case->{spared} // 0) || $broken || !$requests;
    $self->{next} += $requests;
    return { requests => $requests, seconds => $micros / 1e6 };
}

sub run_client ($self, $seconds, $most) {
    my ($requests, $begun) = (0, time);
    while (time < $begun + $seconds && !(defined $most && $requests + 100 > $most)) {
        $self->client->exchange(100, $self->sender);
        $requests += 100;
    }
    return { requests => $requests, seconds => time - $begun };
}

sub run_h2load ($self, $seconds) {
    return { requests => $self->h2load('-c16', '-m1', "-D$seconds"), seconds => $seconds };
}

# The number of requests that were answered as they should.
sub h2load ($self, @options) {
    my ($case, $server) = $self->@{qw(case server)};
    my ($token) = $self->tokens;
    my $text = output_of('h2load', '-t1', @options, '-H', ':authority: bench',
        $token ? ('-H', "authorization: Bearer $token") : (),
        "http://127.0.0.1:$server->{http2}$self->{path}");
    my ($done, $failed) = $text =~ /^requests: .* (\d+) succeeded, (\d+) failed,/m
        or die "h2load printed: $text\n";
    die "$case->{name}: $failed failures\n", $text, $server->last_words if $failed || !$done;
    return $done;
}

# === HTTP/1.1 ===

sub client ($self) {
    my $case = $self->{case};
    return $self->{client} //= Mesh::Bench::Client->connect(
        port => $self->{server}{ $case->{tls} ? 'tls' : 'port' }, status => $case->{status} // 200,
        spared => $case->{spared},
        tls => $case->{tls} && {
            ca => "$self->{work}/tls/ca.pem", cert => "$self->{work}/tls/spiffe.pem",
            key => "$self->{work}/tls/spiffe.key",
        },
    );
}

# What the next request is, as load.lua has it.
sub sender ($self) {
    return $self->{sender} //= do {
        my $case = $self->{case};
        my $scheme = $case->{proofs} ? 'DPoP' : 'Bearer';
        my @fields = map { $self->field_lines . "Authorization: $scheme $_\r\n" } $self->tokens;
        @fields = ($self->field_lines) unless @fields;
        my @proofs = $case->{proofs} ? tokens_in("$self->{work}/$case->{proofs}") : ();
        my ($path, $keys) = ($self->{path}, $case->{keys});
        sub () {
            my $number = $self->{next}++;
            my $target = $keys ? sprintf $path, $number % $keys : $path;
            my $proof = @proofs
                ? 'DPoP: ' . ($proofs[$number] // die "there are no more proofs\n") . "\r\n" : '';
            return "GET $target HTTP/1.1\r\nHost: bench\r\n$fields[$number % @fields]$proof\r\n";
        }
    };
}

sub field_lines ($self) { return join '', map { "$_\r\n" } ($self->{case}{fields} // [])->@* }

sub tokens ($self) {
    my $case = $self->{case};
    return unless $case->{tokens};
    return tokens_in("$self->{work}/$case->{tokens}", $case->{count});
}

sub tokens_in ($path, $most = 'Inf') {
    open my $in, '<', $path or die "$path: $!\n";
    my @lines;
    while (@lines < $most && defined(my $line = <$in>)) { push @lines, $line =~ s/\s+\z//r }
    return @lines;
}

1;
