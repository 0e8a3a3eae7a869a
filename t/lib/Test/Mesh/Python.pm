package Test::Mesh::Python;

use v5.36;

use Carp qw(croak);
use File::Temp qw(tempdir);
use JSON::PP ();
use POSIX ();

use Test::Mesh::Credentials qw(keys_dir project_dir);
use Test::Mesh::File;
use Test::Mesh::Process qw(end_child);
use Test::Mesh::Wait;

my $JSON = JSON::PP->new->canonical->utf8;

my %running;

# Starts a program of t/e2e/platform, a list, by the Python that has the platforms' clients, and waits for its first line.
# It trusts an `authority`.
sub start ($class, $program, %options) {
    my ($script, @arguments) = @$program;
    my $root = tempdir('python-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    my $self = bless { name => "$script @arguments", root => $root, owner => $$ }, $class;
    my $python = project_dir() . '/build/clients/bin/python';
    croak 'no clients are installed: see scripts/setup e2e' unless -e $python;
    my $authority = $options{authority} // keys_dir() . '/ca.pem';

    pipe(my $in, my $commands) or croak "pipe: $!";
    pipe(my $answers, my $out) or croak "pipe: $!";
    my $pid = fork // croak "fork: $!";
    if (!$pid) {
        open STDIN, '<&', $in;
        open STDOUT, '>&', $out;
        open STDERR, '>', "$root/stderr";
        # What it is told by files or variables of whoever runs the tests is not what is tested.
        delete @ENV{ grep { /\A(?:DATABRICKS|MLFLOW|AZURE|DBT|KAFKA)_|_proxy\z|_PROXY\z/ } keys %ENV };
        @ENV{qw(REQUESTS_CA_BUNDLE SSL_CERT_FILE HOME PYTHONDONTWRITEBYTECODE)} = ($authority, $authority, $root, 1);
        exec $python, project_dir() . "/t/e2e/platform/$script", @arguments or POSIX::_exit(127);
    }
    $commands->autoflush;
    $self->@{qw(pid commands answers)} = ($pid, $commands, $answers);
    $running{$pid} = $self;
    $self->{ready} = $self->read_answer;
    return $self;
}

# What its first line says.
sub ready ($self) { return $self->{ready} }

# Tells it something, and returns what it answers.
sub ask ($self, $question) {
    local $SIG{PIPE} = 'IGNORE';
    $self->{commands}->print($JSON->encode($question), "\n");
    return $self->read_answer;
}

sub read_answer ($self) {
    local $SIG{ALRM} = sub { croak "$self->{name} says nothing within $PATIENCE s: " . $self->stderr };
    alarm $PATIENCE;
    my $line = readline $self->{answers};
    alarm 0;
    croak "$self->{name} has ended: " . $self->stderr unless defined $line;
    return $JSON->decode($line);
}

sub stderr ($self) { return slurp("$self->{root}/stderr", '') }

# Stops it by the end of its input, which may be held open by processes that were forked since, and by TERM.
sub stop ($self) {
    return if $self->{owner} != $$ || !delete $running{ $self->{pid} };
    close $self->{commands};
    end_child($self->{pid}, 'TERM') or croak "$self->{name} does not stop";
    return;
}

END {
    my $status = $?;
    eval { $_->stop; 1 } or warn $@ for values %running;
    $? = $status;
}

1;

__END__

=head1 NAME

Test::Mesh::Python - a program of t/e2e/platform, which answers lines of JSON

=head1 SYNOPSIS

    my $client = Test::Mesh::Python->start(['client.py', 'databricks_sdk']);
    my $answer = $client->ask({ call => 'jobs.list', url => 'https://localhost:8443', token => 'T' });
    $answer->{ok}, $answer->{value}, $answer->{class}, $answer->{text}
    $client->stop;

=head1 DESCRIPTION

The Python is that of F<build/clients>, which C<scripts/setup e2e> makes. It trusts the authority of
L<Test::Mesh::Credentials> alone, or C<authority>, and knows nothing of the variables and files by which clients
are told of a platform.

=cut
