//! Where official data sets are served, with the size and SHA-256 of each file.

use super::{DataName, cifar};

/// The source of a data set that can be downloaded.
pub(crate) fn source(name: DataName) -> Option<&'static Source> {
    match name {
        DataName::Cifar10 => Some(&CIFAR10),
        DataName::Cifar100 => Some(&CIFAR100),
        DataName::Mnist => Some(&MNIST),
        DataName::FashionMnist => Some(&FASHION_MNIST),
        DataName::Digits | DataName::ImageFolder | DataName::Synthetic => None,
    }
}

/// Where the files of a data set come from and go to.
pub(crate) struct Source {
    /// Folders that hold the files, tried in order.
    pub urls: &'static [&'static str],
    /// Folder below the destination.
    pub folder: &'static str,
    /// Name, size, SHA-256.
    pub files: &'static [(&'static str, Option<u64>, &'static str)],
}

const CIFAR10: Source = Source {
    urls: &["https://www.cs.toronto.edu/~kriz"],
    folder: "",
    files: &[(
        "cifar-10-binary.tar.gz",
        Some(170_052_171),
        cifar::CIFAR10.archive_sha256,
    )],
};

const CIFAR100: Source = Source {
    urls: &["https://www.cs.toronto.edu/~kriz"],
    folder: "",
    files: &[(
        "cifar-100-binary.tar.gz",
        Some(168_513_733),
        cifar::CIFAR100.archive_sha256,
    )],
};

/// The original host no longer serves MNIST; these mirrors hold the same bytes.
const MNIST: Source = Source {
    urls: &[
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "https://storage.googleapis.com/cvdf-datasets/mnist",
    ],
    folder: "mnist",
    files: &[
        (
            "train-images-idx3-ubyte.gz",
            Some(9_912_422),
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            Some(28_881),
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            Some(1_648_877),
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            Some(4_542),
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ],
};

const FASHION_MNIST: Source = Source {
    urls: &[
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
    ],
    folder: "fashion-mnist",
    files: &[
        (
            "train-images-idx3-ubyte.gz",
            Some(26_421_880),
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            Some(29_515),
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            Some(4_422_102),
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            Some(5_148),
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        ),
    ],
};
