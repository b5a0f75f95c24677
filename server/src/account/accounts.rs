//! Accounts: who has one, under which password, and whether it is enabled.

use std::{net::IpAddr, sync::Arc, time::Instant};

use conclave_core::{
    identity::{
        address::{Domain, UserAddress, UserKind},
        certificate::DisplayName,
    },
    time::Time,
};
use prost::Message;

use super::{Error, Result, password::Passwords, throttle::Throttle};
use crate::{
    config::Limits,
    store::{
        self, Batch, Shared,
        schema::{self, Area, Key},
    },
};

/// Most accounts listed.
const ACCOUNTS: usize = 1_000_000;

/// An account as it is stored.
#[derive(Clone, PartialEq, Message)]
pub struct Account {
    /// The part before the @.
    #[prost(string, tag = "1")]
    pub name: String,
    /// What the organisation vouches for as the person's name.
    #[prost(string, tag = "2")]
    pub display_name: String,
    /// In the PHC format.
    #[prost(string, tag = "3")]
    pub password_hash: String,
    /// May not sign in.
    #[prost(bool, tag = "4")]
    pub disabled: bool,
    /// When it was made, Unix milliseconds.
    #[prost(uint64, tag = "5")]
    pub created_ms: u64,
}

/// All accounts of the organisation.
#[derive(Clone)]
pub struct Accounts {
    store: Shared,
    domain: Domain,
    passwords: Passwords,
    throttle: Arc<Throttle>,
}

impl Accounts {
    /// Those in a store.
    pub fn new(store: Shared, domain: Domain, limits: &Limits) -> Result<Self> {
        let passwords = Passwords::new(limits.sign_ins_at_once, limits.sign_ins_waiting)?;
        Ok(Self { store, domain, passwords, throttle: Arc::default() })
    }

    /// The address of a user of this organisation, whether or not there is an account.
    pub fn address(&self, name: &str) -> Result<UserAddress> {
        UserAddress::new(UserKind::User, name, self.domain.clone()).map_err(|_| Error::UserName)
    }

    /// Makes an account; without a display name it is the user's name.
    pub async fn add(&self, name: &str, display_name: Option<&str>, password: &str, now: Time) -> Result<()> {
        self.address(name)?;
        let display_name =
            DisplayName::parse(display_name.unwrap_or(name)).map_err(|_| Error::DisplayName)?;
        let account = Account {
            name: name.to_owned(),
            display_name: display_name.to_string(),
            password_hash: self.passwords.hash(password).await?,
            disabled: false,
            created_ms: now.as_ms(),
        };
        let batch = Batch::new().create(schema::account(name), account.encode_to_vec());
        self.store.apply(batch).await.map_err(|error| match error {
            store::Error::Changed => Error::UserExists,
            other => other.into(),
        })
    }

    /// One account.
    pub async fn find(&self, name: &str) -> Result<Option<Account>> {
        Ok(schema::read(&*self.store, &schema::account(name)).await?)
    }

    /// All accounts, by name.
    pub async fn list(&self) -> Result<Vec<Account>> {
        let range = Key::area(Area::Accounts).range();
        let accounts = schema::list(&*self.store, range, ACCOUNTS).await?;
        Ok(accounts.into_iter().map(|(_, account)| account).collect())
    }

    /// A new password. Sessions go on; ending them is for `sessions`.
    pub async fn set_password(&self, name: &str, password: &str) -> Result<()> {
        let hash = self.passwords.hash(password).await?;
        self.change(name, |account| account.password_hash.clone_from(&hash)).await
    }

    /// Whether the user may sign in from now on.
    pub async fn set_disabled(&self, name: &str, disabled: bool) -> Result<()> {
        self.change(name, |account| account.disabled = disabled).await
    }

    /// The account whose password this is (spec: OPR-01, OPR-02).
    pub async fn check(&self, name: &str, password: &str, from: IpAddr, now: Instant) -> Result<Account> {
        self.address(name).map_err(|_| Error::WrongPassword)?;
        self.throttle.attempt(name, from, now)?;
        let account = self.find(name).await?.filter(|account| !account.disabled);
        let hash = account.as_ref().map(|account| account.password_hash.as_str());
        let right = self.passwords.verify(password, hash).await;
        // A full queue is not the asker's guess.
        if matches!(right, Ok(true) | Err(_)) {
            self.throttle.succeeded(name, from);
        }
        account.filter(|_| right == Ok(true)).ok_or(match right {
            Err(error) => error,
            Ok(_) => Error::WrongPassword,
        })
    }

    async fn change(&self, name: &str, change: impl Fn(&mut Account)) -> Result<()> {
        self.address(name)?;
        let key = schema::account(name);
        loop {
            let before = self.store.get(key.as_bytes()).await?.ok_or(Error::NoUser)?;
            let mut account = Account::decode(&*before).map_err(|_| Error::Bug("a stored account"))?;
            change(&mut account);
            let batch =
                Batch::new().expect_value(key.clone(), before).put(key.clone(), account.encode_to_vec());
            match self.store.apply(batch).await {
                Err(store::Error::Changed) => {}
                done => return Ok(done?),
            }
        }
    }
}
