package Test::Mesh::Config;

use v5.36;

use Exporter qw(import);
use File::Temp qw(tempdir);

use Test::Mesh::Credentials qw(keys_dir);
use Test::Mesh::File;
use Test::Mesh::Server;

our @EXPORT = qw(refused_at);

my $directory;

# Proves that `nginx -t` refuses a part of `http`, and names the marked line of that very file.
sub refused_at ($text, $message, $name = "refused: $message") {
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($file, $line) = part($text);
    return config_refused("include $file;", qr/\[emerg\].*\Q$message\E.* in \Q$file:$line\E$/m, $name);
}

# Writes a part of `http` into a file, and returns it with the number of the line marked `# here`.
sub part ($text) {
    $directory //= tempdir('config-XXXXXXXX', TMPDIR => 1, CLEANUP => 1);
    $text =~ s/%%KEYS%%/keys_dir()/ge;
    my ($before) = $text =~ /\A(.*?)# here$/ms or die "no line is marked:\n$text";
    return (spew("$directory/part.conf", $text), 1 + ($before =~ tr/\n//));
}

1;

__END__

=head1 NAME

Test::Mesh::Config - refusals of the configuration that name the file and the line

=head1 SYNOPSIS

    refused_at(<<'CONF', 'zone size "1" is too small');
    # A comment, so that it is not the first line.
    mesh_zone 1; # here
    CONF

=head1 DESCRIPTION

C<refused_at> writes a text into a file that C<http> includes, runs C<nginx -t>, and proves that it
is refused by a message that ends in this file and the line with C<# here>. C<%%KEYS%%> is the
directory of the keys. C<Test::Mesh::Config::part> only writes the file, and returns its name and the
number of the line.

=cut
