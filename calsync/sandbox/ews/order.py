"""Members of the item types, in the order of the schema (types.xsd): a writer keeps it, and a
reader refuses what breaks it, as Exchange's schema validation does.
"""

from __future__ import annotations


def words(text: str) -> list[str]:
    """Names, parted by blanks."""
    return text.split()


ITEM = words(
    """
    MimeContent ItemId ParentFolderId ItemClass Subject Sensitivity Body Attachments
    DateTimeReceived Size Categories Importance InReplyTo IsSubmitted IsDraft IsFromMe
    IsResend IsUnmodified InternetMessageHeaders DateTimeSent DateTimeCreated ResponseObjects
    ReminderDueBy ReminderIsSet ReminderNextTime ReminderMinutesBeforeStart DisplayCc
    DisplayTo DisplayBcc HasAttachments ExtendedProperty Culture EffectiveRights
    LastModifiedName LastModifiedTime IsAssociated WebClientReadFormQueryString
    WebClientEditFormQueryString ConversationId UniqueBody Flag StoreEntryId InstanceKey
    NormalizedBody EntityExtractionResult PolicyTag ArchiveTag RetentionDate Preview
    RightsManagementLicenseData PredictedActionReasons IsClutter BlockStatus HasBlockedImages
    TextBody IconIndex SearchKey SortKey Hashtags Mentions MentionedMe MentionsPreview
    MentionsEx AppliedHashtags AppliedHashtagsPreview Likes LikesPreview
    PendingSocialActivityTagIds AtAllMention CanDelete InferenceClassification
    """
)
CALENDAR = words(
    """
    UID RecurrenceId DateTimeStamp Start End OriginalStart IsAllDayEvent LegacyFreeBusyStatus
    Location When IsMeeting IsCancelled IsRecurring MeetingRequestWasSent IsResponseRequested
    CalendarItemType MyResponseType Organizer RequiredAttendees OptionalAttendees Resources
    InboxReminders ConflictingMeetingCount AdjacentMeetingCount ConflictingMeetings
    AdjacentMeetings Duration TimeZone AppointmentReplyTime AppointmentSequenceNumber
    AppointmentState Recurrence FirstOccurrence LastOccurrence ModifiedOccurrences
    DeletedOccurrences MeetingTimeZone StartTimeZone EndTimeZone ConferenceType
    AllowNewTimeProposal IsOnlineMeeting MeetingWorkspaceUrl NetShowUrl EnhancedLocation
    StartWallClock EndWallClock StartTimeZoneId EndTimeZoneId IntendedFreeBusyStatus
    JoinOnlineMeetingUrl OnlineMeetingSettings IsOrganizer CalendarActivityData
    DoNotForwardMeeting
    """
)
MESSAGE = words(
    """
    Sender ToRecipients CcRecipients BccRecipients IsReadReceiptRequested
    IsDeliveryReceiptRequested ConversationIndex ConversationTopic From InternetMessageId
    IsRead IsResponseRequested References ReplyTo ReceivedBy ReceivedRepresenting
    ApprovalRequestData VotingInformation ReminderMessageData MessageSafety SenderSMTPAddress
    MailboxGuids PublishedCalendarItemIcs PublishedCalendarItemName
    """
)
MEETING = words(
    """
    AssociatedCalendarItemId IsDelegated IsOutOfDate HasBeenProcessed ResponseType UID
    RecurrenceId DateTimeStamp IsOrganizer
    """
)
REQUEST = words(
    """
    MeetingRequestType IntendedFreeBusyStatus Start End OriginalStart IsAllDayEvent
    LegacyFreeBusyStatus Location When IsMeeting IsCancelled IsRecurring MeetingRequestWasSent
    CalendarItemType MyResponseType Organizer RequiredAttendees OptionalAttendees Resources
    ConflictingMeetingCount AdjacentMeetingCount ConflictingMeetings AdjacentMeetings Duration
    TimeZone AppointmentReplyTime AppointmentSequenceNumber AppointmentState Recurrence
    FirstOccurrence LastOccurrence ModifiedOccurrences DeletedOccurrences MeetingTimeZone
    StartTimeZone EndTimeZone ConferenceType AllowNewTimeProposal IsOnlineMeeting
    MeetingWorkspaceUrl NetShowUrl EnhancedLocation ChangeHighlights StartWallClock
    EndWallClock StartTimeZoneId EndTimeZoneId DoNotForwardMeeting
    """
)
ANSWER = words(
    """
    Start End Location Recurrence CalendarItemType ProposedStart ProposedEnd EnhancedLocation
    """
)
CANCELLATION = words(
    """
    Start End Location Recurrence CalendarItemType EnhancedLocation DoNotForwardMeeting
    """
)
FOLDER = words(
    """
    FolderId ParentFolderId FolderClass DisplayName TotalCount ChildFolderCount
    ExtendedProperty ManagedFolderInformation EffectiveRights DistinguishedFolderId PolicyTag
    ArchiveTag ReplicaList
    """
)
CONTACT = words(
    """
    FileAs FileAsMapping DisplayName GivenName Initials MiddleName Nickname CompleteName
    CompanyName EmailAddresses AbchEmailAddresses PhysicalAddresses PhoneNumbers AssistantName
    Birthday BusinessHomePage Children Companies ContactSource Department Generation
    ImAddresses JobTitle Manager Mileage OfficeLocation PostalAddressIndex Profession
    SpouseName Surname WeddingAnniversary HasPicture PhoneticFullName PhoneticFirstName
    PhoneticLastName Alias Notes Photo UserSMIMECertificate MSExchangeCertificate DirectoryId
    ManagerMailbox DirectReports AccountName IsAutoUpdateDisabled IsMessengerEnabled Comment
    ContactShortId ContactType Gender IsHidden ObjectId PassportId IsPrivate SourceId
    TrustLevel CreatedBy Urls Cid SkypeAuthCertificate SkypeContext SkypeId SkypeRelationship
    YomiNickname XboxLiveTag InviteFree HidePresenceAndProfile IsPendingOutbound
    SupportGroupFeeds UserTileHash UnifiedInbox Mris Wlid AbchContactId NotInBirthdayCalendar
    ShellContactType ImMri PresenceTrustLevel OtherMri ProfileLastChanged MobileIMEnabled
    PartnerNetworkProfilePhotoUrl PartnerNetworkThumbnailPhotoUrl PersonId ConversationGuid
    """
)
TASK = words(
    """
    ActualWork AssignedTime BillingInformation ChangeCount Companies CompleteDate Contacts
    DelegationState Delegator DueDate IsAssignmentEditable IsComplete IsRecurring IsTeamTask
    Mileage Owner PercentComplete Recurrence StartDate Status StatusDescription TotalWork
    """
)

# Element of an item -> its members in order.
ORDERS: dict[str, list[str]] = {
    "Item": ITEM,
    "CalendarItem": ITEM + CALENDAR,
    "Message": ITEM + MESSAGE,
    "MeetingMessage": ITEM + MESSAGE + MEETING,
    "MeetingRequest": ITEM + MESSAGE + MEETING + REQUEST,
    "MeetingResponse": ITEM + MESSAGE + MEETING + ANSWER,
    "MeetingCancellation": ITEM + MESSAGE + MEETING + CANCELLATION,
    "Contact": ITEM + CONTACT,
    "Task": ITEM + TASK,
    "PostItem": ITEM,
}
RANKS = {
    name: {member: place for place, member in enumerate(order)} for name, order in ORDERS.items()
}
# Prefix of a FieldURI -> the members it can name.
FIELDS: dict[str, frozenset[str]] = {
    "item": frozenset([*ITEM, "MimeContentUTF8", "FirstBody"]),
    "calendar": frozenset(CALENDAR),
    "message": frozenset(MESSAGE),
    "meeting": frozenset([*MEETING, *ANSWER, "DoNotForwardMeeting"]),
    "meetingRequest": frozenset(REQUEST),
    "folder": frozenset([*FOLDER, "UnreadCount", "PermissionSet", "SharingEffectiveRights"]),
    "contacts": frozenset([*CONTACT, "Culture"]),
    "task": frozenset(TASK),
    "postitem": frozenset({"PostedTime"}),
}
